"""Nobody is trusted where nobody needs to be, and certificates are never left unchecked."""

from __future__ import annotations

import ssl

from pipeline.venue.certificates import trusted


def test_a_venue_on_this_machine_needs_no_certificates_and_whoever_shows_one_is_refused():
    context = trusted(loopback=True)
    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode, context.check_hostname, context.get_ca_certs()) == (ssl.CERT_REQUIRED, True, [])


def test_elsewhere_what_the_library_trusts_is_trusted():
    assert trusted(loopback=False) is True

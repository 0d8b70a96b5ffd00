"""Market data into a database, programmatically: the catalogue, one market's books, a whole session."""

from __future__ import annotations

from polybot.ingestion.ingestor import OrderbookIngestor
from polybot.ingestion.session import run_ingestion_session

__all__ = ["OrderbookIngestor", "run_ingestion_session"]

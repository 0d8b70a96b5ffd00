"""From what was collected to a result: profit in its parts, whole and by market, coverage, and the hash of the run."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pipeline.messages.market import FeeSchedule, Market
from pipeline.trading.pnl import Attribution, Key, Trade
from polybot.backtest.collector import Collector
from polybot.backtest.equity import Sampler
from polybot.backtest.plan import RunPlan, config_version, shown_settings
from polybot.backtest.result import BacktestFill, MarketResult, Parts, Played, RunResult, TokenCoverage
from polybot.coverage.shares import NOT_OBSERVED, spans_of
from processes.executor import Executor

_packed = msgspec.msgpack.Encoder()
MOST_SPANS = 10_000


def finished(
    plan: RunPlan,
    collector: Collector,
    sampler: Sampler,
    executor: Executor,
    counts: Mapping[str, int],
    span: tuple[int, int],
) -> RunResult:
    """The result of a run that has come to its end; ``span`` is the time traded in."""
    given = plan.given
    fills = list(collector.fills.values())
    orders = collector.finished_orders()
    markets = {market.market_id: market for market in given.markets}
    schedules = {market_id: market.fees for market_id, market in markets.items()}
    marks = _marks(executor, sampler)
    whole, by_market = added(fills, schedules, collector.rewards_e6)
    played = Played(
        source=given.source,
        kind=given.kind,
        digest=given.digest,
        strategy=plan.strategy,
        parameters=dict(plan.parameters),
        fill_model=plan.fill_model,
        seed=plan.seed,
        code=plan.code,
        config=config_version(plan.settings),
        start_ns=span[0],
        end_ns=span[1],
        books=counts.get("batches", 0) + counts.get("snapshots", 0),
        settings=shown_settings(plan.settings, plan.strategy),
    )
    digest = collector.digest.copy()
    for point in sampler.equity.points:
        digest.update(_packed.encode(point))
    return RunResult(
        number=plan.number,
        played=played,
        parts=parts_of(whole, marks),
        max_drawdown_e6=sampler.max_drawdown_e6,
        rejected=sum(order.status == "rejected" for order in orders),
        rested=sum(bool(order.live_ns) for order in orders),
        orders=orders,
        fills=fills,
        equity=sampler.equity.points,
        markets=[
            MarketResult(
                market=market_id,
                title=title_of(markets.get(market_id), market_id),
                tokens=list(collector.tokens_of(market_id)),
                parts=parts_of(by_market.get(market_id, Attribution()), marks),
                orders=sum(order.market == market_id for order in orders),
                fills=sum(fill.market == market_id for fill in fills),
                points=sampler.markets[market_id].points if market_id in sampler.markets else [],
            )
            for market_id in collector.markets
        ],
        coverage=_coverage(collector, markets, span),
        run_hash=digest.hexdigest(),
    )


def added(
    fills: list[BacktestFill], schedules: Mapping[str, FeeSchedule | None], rewards_e6: Mapping[str, int]
) -> tuple[Attribution, dict[str, Attribution]]:
    """All trades added up, and those of each market."""
    whole, by_market = Attribution(), dict[str, Attribution]()
    for fill in fills:
        trade = Trade(
            token_id=fill.token_id,
            market=fill.market,
            side=fill.side,
            price_e6=fill.price_e6,
            size_e6=fill.size_e6,
            notional_e6=fill.notional_e6,
            fee_e6=fill.fee_e6,
            liquidity=fill.liquidity,
            mids=fill.mids,
        )
        whole.add(trade, schedules.get(fill.market))
        by_market.setdefault(fill.market, Attribution()).add(trade, schedules.get(fill.market))
    for market_id, reward_e6 in rewards_e6.items():
        whole.rewards_e6 += reward_e6
        by_market.setdefault(market_id, Attribution()).rewards_e6 += reward_e6
    return whole, by_market


def parts_of(account: Attribution, marks: Mapping[Key, int]) -> Parts:
    """The parts of a profit; what has no mark is worth what it cost."""
    known = dict(marks)
    for key, holding in account.holdings.items():
        known.setdefault(key, holding.average_price_e6 or 0)
    return Parts(
        trades=account.trades,
        pnl_e6=account.pnl_e6(known) or 0,
        spread_e6=account.spread_e6,
        adverse_e6=dict(account.adverse_e6),
        measured=dict(account.measured),
        inventory_e6=account.inventory_e6(known) or 0,
        fees_e6=account.fees_e6,
        rebates_e6=account.rebates_e6,
        rewards_e6=account.rewards_e6,
        settlement_e6=account.settlement_e6,
        volume_e6=account.bought_e6 + account.sold_e6,
    )


def title_of(market: Market | None, market_id: str) -> str:
    """What a person calls a market."""
    if market is None:
        return market_id
    return market.group_item_title or market.question or market.slug or market_id


def _marks(executor: Executor, sampler: Sampler) -> dict[Key, int]:
    """The mids at the end; before any the last known ones."""
    return {
        (holding.market, holding.token_id): sampler.marks[holding.token_id]
        for holding in executor.ledger.portfolio
        if holding.token_id in sampler.marks
    }


def _coverage(collector: Collector, markets: Mapping[str, Market], span: tuple[int, int]) -> list[TokenCoverage]:
    start_ns, end_ns = span
    found = []
    names = {
        outcome.token_id: (market, f"{title_of(market, market.market_id)} / {outcome.name}")
        for market in markets.values()
        for outcome in market.outcomes
    }
    for token_id in dict.fromkeys((*names, *collector.states)):
        market, name = names.get(token_id, (None, token_id))
        if market is None and markets:
            continue
        spans = [
            (max(since, start_ns), until, state)
            for since, until, state in spans_of(collector.states.get(token_id, []), end_ns)
            if until > start_ns
        ]
        times: dict[str, int] = {}
        for since, until, state in spans:
            times[state] = times.get(state, 0) + until - since
        unseen = end_ns - start_ns - sum(times.values())
        if unseen > 0:
            times[NOT_OBSERVED] = unseen
        found.append(
            TokenCoverage(
                token_id=token_id,
                market=collector.market_of.get(token_id, "" if market is None else market.market_id),
                name=name,
                times_ns=times,
                spans=spans[:MOST_SPANS],
                gaps=len(collector.gaps.get(token_id, ())),
            )
        )
    return found

"""The requests of a build to a model: counting them, and asking for them in batches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cclearn.cli.tables import batch_table, print_view
from cclearn.engines.batch_files import BatchFolder, refuse_budget, server_of
from cclearn.engines.planning import Plan, planning
from cclearn.engines.registry import load_engine
from cclearn.errors import ConfigurationError
from cclearn.runtime.display import print_message

if TYPE_CHECKING:
    from cclearn.codes import CodeSystem
    from data_builders.builder import Builder, BuilderConfig


def plan_requests(builder: Builder, config: BuilderConfig, system: CodeSystem) -> Plan:
    """Count the requests of a build, and print their number, tokens and cost.

    Args:
        builder: The builder.
        config: Settings of the builder.
        system: Code system of the rows.

    Raises:
        ConfigurationError: The builder asks no model.
    """
    _model_of(builder, config)
    plan = Plan()
    _plan(builder, config, system, plan)
    settings: Any = config.engine  # type: ignore[attr-defined]
    priced = settings.prompt_price or settings.answer_price
    cost = f"about {plan.cost:.2f}" if priced else "unknown: set engine={prompt_price: …}"
    print_message(f"Requests  {plan.requests:,} new, {plan.known:,} answered in the cache")
    print_message(
        f"Tokens    about {plan.prompt_tokens:,} of prompts and {plan.answer_tokens:,} of answers"
    )
    print_message(f"Cost      {cost}")
    return plan


def run_batch(
    step: str, builder: Builder, config: BuilderConfig, system: CodeSystem, out: Path
) -> None:
    """Run a step of asking in batches. The files are in the folder `OUT.batch`.

    Args:
        step: `write`, `submit`, `status` or `collect`.
        builder: The builder.
        config: Settings of the builder.
        system: Code system of the rows.
        out: Output folder of the build.

    Raises:
        CclearnError: The builder asks no model, the model has no batches, a note is restricted, or the
            server refuses.
    """
    settings: Any = config.engine  # type: ignore[attr-defined]
    engine = load_engine(_model_of(builder, config), settings)
    cache, server = server_of(engine)
    folder = BatchFolder(out.with_name(f"{out.name}.batch"))
    if step in ("write", "submit"):
        refuse_budget(plan_requests(builder, config, system), settings)
        folder.write(lambda plan: _plan(builder, config, system, plan), remote=step == "submit")
        if step == "submit":
            folder.submit(server)
    elif step == "status":
        folder.refresh(server)
    if step == "collect":
        found = folder.collect(cache, server)
        print_message(
            f"{found.kept:,} answers kept, {found.missing:,} missing, {found.prompt_tokens:,} tokens"
            f" read and {found.answer_tokens:,} written"
        )
        for problem, count in sorted(found.problems.items()):
            print_message(f"{count:>9}  {problem}")
        print_message(
            "Next: the command without --batch uses the answers."
            + (" --batch submit asks for those that are missing." if found.missing else "")
        )
        return
    print_view(batch_table(folder.files))


def _model_of(builder: Builder, config: BuilderConfig) -> str:
    model = getattr(config, "model", None)
    if model is None:
        raise ConfigurationError(
            [f"{builder.name} (model = none): these settings ask no model. Name one: model=NAME."]
        )
    return str(model)


def _plan(builder: Builder, config: BuilderConfig, system: CodeSystem, plan: Plan) -> None:
    """Let a builder make its requests under a plan. Its rows are not used."""
    with planning(plan):
        for _ in builder.rows(config, system):
            pass

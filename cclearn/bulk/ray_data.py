"""Codes shards on a Ray Data cluster. Each actor has a coder with its own engine.

`ray.data.llm` is not used, because it sends one request per row. A coder sends one request per part of a
note, further requests for halves, or two requests per span, with a grammar for each note.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Generator, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cclearn.bulk.corpora import open_corpus
from cclearn.bulk.corpus import BulkCorpus, Shard
from cclearn.bulk.shard import CodedShard, Marker, code_shard
from cclearn.coding import Coder
from cclearn.coding.load import load_coder_quietly
from cclearn.coding.settings import CoderSettings
from cclearn.errors import ConfigurationError
from cclearn.notes.inputs import NoteSource
from cclearn.runtime.ray_cluster import (
    LOST_WORKERS,
    count_other_machines,
    errors_for_the_user,
    ray_cluster,
)

if TYPE_CHECKING:
    from ray.data import Dataset


class ShardCoder:
    """An actor that loads a coder with its first shard, and codes one shard after the other.

    Args:
        source: Source of the notes, whose paths must be the same on every worker.
        settings: Settings of the coder.
    """

    def __init__(self, source: NoteSource, settings: CoderSettings) -> None:
        self._source = source
        self._settings = settings

    @cached_property
    def _corpus(self) -> BulkCorpus:
        return open_corpus(self._source)

    @cached_property
    def _coder(self) -> Coder:
        return load_coder_quietly(self._settings)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Code the shard of a row."""
        fields = json.loads(row["shard"])
        shard = Shard(**{**fields, "repeated": tuple(fields["repeated"])})
        with errors_for_the_user():
            coded = code_shard(self._coder, self._corpus, shard)
        return {"content": coded.content, "marker": coded.marker.model_dump_json()}


def coded_on_ray(
    address: str,
    workers: int | None,
    source: NoteSource,
    settings: CoderSettings,
    shards: Sequence[Shard],
) -> Generator[CodedShard, None, None]:
    """Yield each shard once, in the order in which the workers finish.

    Args:
        address: Address of the cluster, in any form that `cclearn.runtime.ray_cluster.ray_cluster`
            accepts.
        workers: Number of workers. None starts one for each GPU if the model runs on GPUs, and one for
            each core otherwise.
        source: Source of the notes.
        settings: Settings of the coder.
        shards: Shards to code.

    Raises:
        ConfigurationError: The cluster cannot be reached, lacks the resources that the workers need,
            or has other machines to which the settings do not allow sending restricted notes.
        CclearnError: A shard cannot be coded.
    """
    with ray_cluster(address) as ray:
        refuse_other_machines(ray, address, settings)
        from ray.data import ActorPoolStrategy, DataContext

        # Shards are numbered, so that their order does not matter.
        DataContext.get_current().execution_options.preserve_order = False
        gpus = count_gpus(settings)
        available = ray.cluster_resources()
        if not available.get("GPU") and any(m.needs_gpu for m in settings.models().values()):
            raise ConfigurationError(
                [
                    f"ray (address = {address}): the cluster has no GPU, which the model's engine"
                    " needs. Add one."
                ]
            )
        gpus = gpus if available.get("GPU") else 0
        most = int(available["GPU"] // gpus if gpus else available.get("CPU", 0))
        if not most:
            raise ConfigurationError(
                [
                    f"ray (address = {address}): a worker needs {gpus} GPUs and {int(not gpus)} cores,"
                    f" and the cluster has {available.get('GPU', 0):g} and {available.get('CPU', 0):g}."
                    " Add a machine."
                ]
            )
        count = min(workers or most, most, len(shards))
        rows = [{"shard": json.dumps(asdict(shard))} for shard in shards]
        with warnings.catch_warnings():
            # The argument is deprecated, but has no replacement yet.
            warnings.filterwarnings("ignore", message=".*ray_remote_args")
            dataset: Dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
                ShardCoder,
                fn_constructor_args=(source.resolved(), settings.resolved()),
                compute=ActorPoolStrategy(size=count),
                num_cpus=0 if gpus else 1,
                num_gpus=gpus or None,
                **LOST_WORKERS,
            )
        for row in dataset.iter_rows():
            yield CodedShard(row["content"], Marker.model_validate_json(row["marker"]))


def refuse_other_machines(ray: Any, address: str, settings: CoderSettings) -> None:
    """Refuse a cluster of several machines, unless two settings allow sending restricted notes there.

    Args:
        ray: Module that `cclearn.runtime.ray_cluster.ray_cluster` yields.
        address: Address of the cluster, for the message.
        settings: Settings of the coder. Their engine settings contain the two permissions,
            `send_restricted` and `may_send_restricted`.

    Raises:
        ConfigurationError: The cluster has other machines, and a permission is missing.
    """
    engine = settings.engine
    if engine.send_restricted and engine.may_send_restricted:
        return
    if others := count_other_machines(ray):
        raise ConfigurationError(
            [
                f"ray (address = {address}): the cluster has {others} other machines, and notes are"
                " restricted unless their rows have another origin. Use --ray local; or, if the corpus"
                " may be read there, set both send_restricted=true and may_send_restricted=true with"
                " --engine."
            ]
        )


def count_gpus(settings: CoderSettings) -> int:
    """Return the number of GPUs that a worker uses. The engines of its models share them."""
    return max(model.gpus(settings.engine) for model in settings.models().values())

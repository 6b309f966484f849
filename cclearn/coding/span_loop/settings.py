"""Settings of `span_loop`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cclearn.notes.segments import Segmentation


class LoopSettings(BaseModel):
    """Settings of `span_loop`.

    Attributes:
        recogniser: Name of the recogniser: `lexicon`, `spacy:FOLDER`, any model, or `plm:FOLDER` for a
            discriminative coder, whose codes become candidates of its evidence. None for the model that
            assigns the codes. Of several recognisers, a later one adds spans to those of the
            earlier ones.
        overlaps: Whether a span of a later recogniser is added although it overlaps one of an earlier
            recogniser. The codes of both are assigned, unless a calibration rejects one.
        segments: Unit of text that the recogniser reads at a time.
        window: Maximum length of a window, in code points.
        assignment: `choose` lets the model choose among candidates, and `generate` lets it write the
            code. None selects `choose` if the engine can score answers.
        candidates: Number of codes to choose among, in addition to `none`.
        prior: Weight of the shares of codes among the pairs with the same string and of the ranks of the
            candidates, which are added to the log-likelihoods. 0 leaves the choice to the model alone.
        embeddings: Sentence encoder that finds further candidates: a folder or a name on the hub.
        ranker: Discriminative coder whose scores for a span rank further candidates: `plm:FOLDER`.
        translate: Whether the words of a span are translated into English to find further candidates in
            ICD-10-CM. The translations are learnt from the strings of the code system and the pairs.
        verify: Whether an assigned code is compared with its siblings in a second step.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recogniser: str | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    overlaps: bool = False
    segments: Segmentation = "section"
    window: int = Field(default=1_000, ge=100)
    assignment: Literal["choose", "generate"] | None = None
    candidates: int = Field(default=100, ge=1, le=2_000)
    prior: float = Field(default=0.0, ge=0)
    embeddings: str | None = None
    ranker: Annotated[str, Field(pattern=r"^plm:.")] | None = None
    translate: bool = False
    verify: bool = False

    @property
    def recognisers(self) -> tuple[str, ...]:
        """Names of the recognisers. Empty for the model that assigns the codes."""
        if self.recogniser is None:
            return ()
        return (self.recogniser,) if isinstance(self.recogniser, str) else self.recogniser

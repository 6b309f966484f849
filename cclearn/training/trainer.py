"""Parts that the trainers of all stages share: publishing of checkpoints, and the file of metrics."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from transformers import PrinterCallback, Trainer, TrainerCallback

from cclearn.runtime.files import write_json
from cclearn.runtime.parsing import read_json
from cclearn.runtime.processes import process_state
from cclearn.training.checkpoints import METRICS, Checkpoint, publish_checkpoint
from cclearn.training.development import BestWeights
from cclearn.training.run_folder import reporting_write_errors

Progress = Callable[[int, int, float | None], None]
"""Called with the number of steps done, the total number of steps, and the last logged loss or None."""


class CheckpointPublisher(Trainer):  # type: ignore[misc]
    """Mix-in that publishes each checkpoint only when it is complete.

    It precedes the trainer in the list of base classes.
    """

    def prepare_run(
        self,
        checkpoints: Path,
        run: dict[str, Any],
        keep: int,
        metrics: Path,
        start: Checkpoint | None,
        best: BestWeights | None = None,
    ) -> None:
        """Set the files and the fingerprint of the run. This must be called before training begins.

        Args:
            checkpoints: Folder where complete checkpoints are published.
            run: Fingerprint of the run.
            keep: Number of checkpoints to keep.
            metrics: File of metrics, which is copied into each checkpoint.
            start: Checkpoint that the run resumes from, or None.
            best: Keeper of the best weights, or None to keep the last weights.
        """
        self.best = best
        if best is not None and start is not None:
            best.resume(start.folder / METRICS, start.step)
        self._checkpoints, self._run, self._keep = checkpoints, run, keep
        self._metrics_file = metrics
        self._started = time.perf_counter() - (start.seconds if start else 0.0)
        # This callback would print dictionaries between the lines of the progress bar.
        self.remove_callback(PrinterCallback)

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        # A checkpoint has tied weights once. Transformers would report the others as missing.
        tied = getattr(self.model, "all_tied_weights_keys", {})
        missing = [key for key in load_result.missing_keys if key not in tied]
        super()._issue_warnings_after_load(load_result._replace(missing_keys=missing))

    def seconds(self) -> float:
        """Return the seconds that the run has taken, including those before it was resumed."""
        return time.perf_counter() - self._started

    def measure_development(self, model: Any) -> dict[str, float]:
        """Return the metrics of the development rows. Empty if there are none.

        Those of the main process count. The others may return nothing.

        Args:
            model: Model in evaluation mode, as the launcher has not wrapped it.
        """
        return {}

    def before_saving(self, model: Any) -> None:
        """Complete the final model before it is saved.

        Args:
            model: Model with its final weights, as the launcher has not wrapped it.
        """

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Measure the development rows, keep the best weights, and log the metrics.

        Returns:
            The metrics.
        """
        model = self.accelerator.unwrap_model(self.model)
        was_training = model.training
        model.eval()
        # All processes must agree on whether to stop.
        metrics: dict[str, float] = broadcast_object_list([self.measure_development(model)])[0]
        model.train(was_training)
        if not metrics:
            return {}
        self.log(metrics)
        self.evaluated_step = self.state.global_step
        # The handler records in `control` that the step has been evaluated.
        control: Any = self.control
        self.callback_handler.on_evaluate(self.args, self.state, control, metrics)
        if self.best is not None and self.best.add(metrics, self.state.global_step, model):
            control.should_training_stop = True
        return metrics

    def save_final(self, folder: Path, dtype: torch.dtype | None) -> None:
        """Save the trained model or its adapter. All processes take part.

        Args:
            folder: Folder that receives the files. Checkpoints may be sharded, but this model is not.
            dtype: Type that the weights are rounded to, or None to save them as they are. The model of
                the trainer has this type afterwards, so that training cannot continue.
        """
        if self.best is not None:
            if self.evaluated_step != self.state.global_step:
                self.evaluate()
            self.best.restore(self.accelerator.unwrap_model(self.model))
        self.before_saving(self.accelerator.unwrap_model(self.model))
        if self.is_fsdp_enabled:
            self.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
        self._final_dtype = dtype
        self.save_model(str(folder))

    _final_dtype: torch.dtype | None = None
    best: BestWeights | None = None
    evaluated_step: int | None = None

    def _save(
        self, output_dir: str | None = None, state_dict: dict[str, torch.Tensor] | None = None
    ) -> None:
        gathered, dtype = state_dict, self._final_dtype
        if dtype is not None and gathered is None:
            self.accelerator.unwrap_model(self.model).to(dtype)
        elif dtype is not None and gathered is not None:
            # The weights of a sharded model. Tied ones share their memory.
            rounded = {(w.data_ptr(), w.shape): w.to(dtype) for w in gathered.values()}
            state_dict = {key: rounded[w.data_ptr(), w.shape] for key, w in gathered.items()}
        super()._save(output_dir, state_dict)
        if dtype is not None and gathered is not None and self.args.should_save:
            # The configuration has the type of the sharded weights.
            path = Path(output_dir or self.args.output_dir) / "config.json"
            write_json(path, {**read_json(path), "dtype": str(dtype).removeprefix("torch.")})

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        if self.state.global_step >= self.state.max_steps:
            return  # The model is saved next. Resuming after the last step would train one more step.
        control: Any = self.control
        if control.should_training_stop:
            return  # The patience is exhausted. A resumed run would not know it, and train on.
        with reporting_write_errors(self._checkpoints):
            super()._save_checkpoint(model, trial)
            state = process_state()
            state.wait_for_everyone()
            if state.is_main_process:
                step = self.state.global_step
                written = Path(self.args.output_dir) / f"checkpoint-{step}"
                shutil.copyfile(self._metrics_file, written / METRICS)
                publish_checkpoint(
                    written, self._checkpoints, step, self.seconds(), self._run, self._keep
                )
            state.wait_for_everyone()


class MetricsWriter(TrainerCallback):  # type: ignore[misc]
    """Callback that writes the logged values to a file and reports the progress.

    Args:
        path: File that receives one line of JSON for each log entry.
        progress: Function that is called after each step. None reports nothing.
    """

    def __init__(self, path: Path, progress: Progress | None) -> None:
        self._path = path
        self._progress = progress
        self._loss: float | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            self._path.touch()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._progress is not None and state.is_world_process_zero:
            self._progress(state.global_step, state.max_steps, self._loss)

    def on_log(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        logs = parts.get("logs") or {}
        self._loss = logs.get("loss", self._loss)
        if state.is_world_process_zero:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps({"step": state.global_step, **logs}, sort_keys=True) + "\n")

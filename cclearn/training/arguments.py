"""The arguments that the trainers of all stages share."""

from __future__ import annotations

import os
from typing import Any

from cclearn.runtime.processes import on_gpu, sharding
from cclearn.training.initial_model import computes_in_bf16
from cclearn.training.recipe import Recipe


def common_arguments(recipe: Recipe) -> dict[str, Any]:
    """Return the arguments that the trainers of all stages take.

    `output_dir` is a placeholder: a stage replaces it when the folder of the run exists.
    """
    training, development = recipe.training, recipe.development
    # The sampler repeats each phase, so that the trainer must not.
    phased = recipe.rows.order == "span_then_document"
    if training.report_to == "tensorboard":
        # By default the logs lie among the checkpoints, which are removed when the run is complete.
        logs = recipe.output.with_name(f"{recipe.output.name}.tensorboard")
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(logs))
    return {
        "output_dir": str(recipe.output),
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "max_steps": training.steps or -1,
        "num_train_epochs": 1 if phased else training.epochs or 1,
        "per_device_train_batch_size": training.device_rows,
        "gradient_accumulation_steps": training.accumulation,
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": training.scheduler,
        "warmup_steps": training.warmup,
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        "optim": "adamw_8bit" if training.optimizer == "adamw_8bit" else "adamw_torch_fused",
        "activation_checkpointing": training.gradient_checkpointing,
        # With ZeRO-3, only reentrant checkpointing recomputes the partitioned weights of an adapted
        # model correctly.
        "activation_checkpointing_kwargs": {
            "use_reentrant": sharding() == "deepspeed" and recipe.adapter.kind != "none"
        },
        "use_liger_kernel": training.liger,
        "use_cpu": not on_gpu(),
        "bf16": computes_in_bf16(training),
        "logging_steps": training.log_every,
        "save_strategy": "steps" if training.save_every else "no",
        "save_steps": training.save_every or 500,
        "eval_strategy": "steps" if development else "no",
        "eval_steps": development.every if development else None,
        "report_to": training.report_to,
        "disable_tqdm": True,
    }

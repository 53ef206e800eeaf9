"""Project settings, read by Kedro."""

import os
import warnings

from etram_pipeline.configuration import ConfigLoader, recording_name
from etram_pipeline.hooks import Announcement, Collector, Executors
from etram_pipeline.mlflow_hook import MlflowHook
from etram_pipeline.preflight import Preflight
from etram_pipeline.requeue import Requeue
from etram_pipeline.run_locks import Locks
from etram_pipeline.session import Context, Session

warnings.filterwarnings("ignore", message="register_new_resolver", category=UserWarning)
# Kedro and MLflow ask these variables before they send usage data.
os.environ.setdefault("KEDRO_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# Threads that wait for each other spin for milliseconds by default, so beside another busy process
# training takes many times as long. PyTorch's libraries read these variables when they are loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
os.environ.setdefault("KMP_BLOCKTIME", "1")

# Kedro calls `tryfirst` hooks from last to first. So the preflight checks run before the locks are
# taken, and a run that is refused is not logged in MLflow. They release what they hold in the same
# order, so a job is queued again when everything else is done.
HOOKS = (Requeue(), Collector(), Locks(), Preflight(), Announcement(), Executors(), MlflowHook())
CONTEXT_CLASS = Context
SESSION_CLASS = Session
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry", "kedro_mlflow")
CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "custom_resolvers": {"recording_name": recording_name},
    "config_patterns": {"mlflow": ["mlflow*"], "resources": ["resources*"]},
    "merge_strategy": {
        "parameters": "soft",
        "globals": "soft",
        "mlflow": "soft",
        "resources": "soft",
    },
}

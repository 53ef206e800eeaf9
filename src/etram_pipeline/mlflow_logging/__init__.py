"""Writing runs to an MLflow store; `mlflow_hook.py` decides what is logged and when."""

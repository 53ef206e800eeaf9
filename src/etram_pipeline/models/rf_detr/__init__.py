"""The network, losses and published weights of RF-DETR.

Only `network` imports transformers, which is optional.
"""

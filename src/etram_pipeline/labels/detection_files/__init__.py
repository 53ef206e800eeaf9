"""Readers of detections that other programs made, one module per format.

`coco_results` reads COCO's results, `tables` reads NumPy and parquet. `content` finds the format of
a file and gives its detections the class ids of the dataset.
"""

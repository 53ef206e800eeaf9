"""What a training step reads: schedules, samples, augmentation and batches."""

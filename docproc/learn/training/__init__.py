"""From composed fields to the files of a model: architectures, the training loop, export, calibration, fine-tuning."""

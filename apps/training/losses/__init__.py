"""Losses of the training: functions of fields and pictures, and what each task adds up of them."""

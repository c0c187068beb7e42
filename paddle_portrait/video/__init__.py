"""Video: reading and writing with sound and exact times, the frame pipeline, smoothing. Needs PyAV."""

"""Training: of the base network, the decoder of AdaIN, the predictor, and new styles."""

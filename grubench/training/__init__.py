"""One trial: model, fit, evaluation, and the finished model again."""

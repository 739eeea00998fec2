"""How a guard does on what it was not trained on: guard-eval."""

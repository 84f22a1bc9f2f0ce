"""The music and the machine learning: pure functions, models, and one thin command a stage.

Nothing here imports dagster; the scheduler's face lives in `assets/`. Wings, and which way they may
import (left may import right, never back):

    stages -> datasets, training, evaluation, report -> features, models -> audio, symbolic -> store
"""

"""A recipe of many datasets and models, as it stands when all of it has been run."""

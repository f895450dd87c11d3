"""The kernels of notebooks: who starts and ends them, what is asked of them, what they say."""

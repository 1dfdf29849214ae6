"""Where Hugging Face's Auto classes, told to trust it, find this model: in the package nlcore, which has to be installed."""

from nlcore.models.hugging_face import NlcoreConfig, NlcoreForCausalLM  # noqa: F401

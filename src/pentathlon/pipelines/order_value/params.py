"""Parameters of the pipeline."""

from pentathlon.models.settings import OrderValueSettings


class OrderValueParams(OrderValueSettings):
    """``order_value`` in the parameters: how the order-value model is chosen."""

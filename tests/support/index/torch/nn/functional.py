def mse_loss(inputs, target):
    if inputs.shape != target.shape:
        raise ValueError(f"shapes {inputs.shape} and {target.shape}")
    difference = inputs - target
    return (difference * difference).mean()

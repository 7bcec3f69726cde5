class SGD:
    def __init__(self, params, lr):
        self.params, self.lr = list(params), lr

    def zero_grad(self):
        for parameter in self.params:
            parameter.grad = None

    def step(self):
        for parameter in self.params:
            if parameter.grad is not None:
                parameter.data = parameter.data - (self.lr * parameter.grad.data).astype(parameter.dtype)

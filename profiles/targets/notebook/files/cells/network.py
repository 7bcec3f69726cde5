import importlib.util
import time

# «texts.network.framework|comment»
if importlib.util.find_spec("torch"):
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    began = time.monotonic()


    def pixels(of):
        return torch.tensor(of / 16, dtype=torch.float32, device=device)


    layers = torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10)
    network = torch.nn.Sequential(*layers).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    wanted = torch.tensor(train_digits, device=device)
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(pixels(train_images)), wanted).backward()
        optimizer.step()
    answers = network(pixels(test_images)).argmax(1).cpu().numpy()
    name = torch.cuda.get_device_name() if device == "cuda" else «texts.network.processor»
    print(f«texts.network.computed ~ " {name}, {time.monotonic() - began:.1f} s"»)
    print(f«texts.train.accuracy ~ " {(answers == test_digits).mean():.3f}"»)
else:
    print(«texts.network.none»)
if gpu:
    print(f«texts.network.quota ~ " {(time.monotonic() - started) / 60:.0f} min"»)

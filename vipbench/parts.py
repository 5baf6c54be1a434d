"""The classes of VIP's pixels by id. HCPLab-SYSU/ATEN vip.py, test_inst_part_ap.py.

The released test_parsing.py prints other names for ids 3 to 12 and 14 to 19: those are mislabelled.
"""

CLASSES: tuple[str, ...] = (
    "background",
    "hat",
    "hair",
    "gloves",
    "sun-glasses",
    "upper-clothes",
    "dress",
    "coat",
    "socks",
    "pants",
    "torso-skin",
    "scarf",
    "skirt",
    "face",
    "left-arm",
    "right-arm",
    "left-leg",
    "right-leg",
    "left-shoe",
    "right-shoe",
)

"""Every threshold that a scan decides by, and where it comes from. NOTES.md beside this file has the tables.

An *octave* is a factor of two: suspicion counts how many octaves a class's triggers lie below the median class, and
ahead of it in time. A *gap* is how many times larger the smallest trigger of any other class is.
"""

# How strong the signs are: suspicion in octaves, and the gap, or how many times sooner the class was reached, in the
# form that shows it best. Set between nine clean networks (at most 2.7 octaves at a gap of 1.6; without normalisation
# layers 3.0 at 1.29) and victims of patches, blends, sparse pixels and warps (from 3.2 at 1.3 on).
STRONG = (3.5, 1.8)
SOME = (2.8, 1.3)
HINT = (2.0, 1.3)  # no sign, but a purification goes by what was found

# When one form is enough, and no other is tried: on shipped victims such triggers take 0.1 to 1.8 % of the picture.
SETTLING_GAP = 3.0
SETTLING_SIZE = 0.1  # share of the picture, at most

# What a form's trigger counts for.
WORKING_RATE = 0.5  # share of images that a trigger has to turn
NEARLY_AS_CLEAR = 0.6  # of the clearest form's gap: such forms are trained against beside it
AGAINST = -0.5  # octaves: the most that a form may speak against a class which another finds easy to reach
EARLY_DEVIATIONS = 3.0  # below the median, from which on a class counts as reached early (the anomaly index's unit)
MOST_LEAD = 3.0  # octaves that being reached early may add

LEAST_CLASSES = 4  # with fewer there is nothing to compare with

# Random warps (``warped``): share of the images they turn that go to one class, and how many times any other's.
# Clean networks: 42 % at most, 2.6 times; victims of warps: 67 % and more, 4.8 times.
WARPED_SHARE = 0.55
WARPED_TIMES = 3.0
LEAST_WARPED = 50  # images that warps turn; of fewer, the shares are chance

# Unlearning (``unlearned``): share of the wrong answers that name one class, mean of the copies. Clean networks: 63 %
# at most, but one victim fell back on an honest class with 89 %, so this names a class to be wary of and is no sign.
FALLEN_BACK_SHARE = 0.7
LEAST_IMAGES = 200  # clean ones; of fewer, the wrong answers are too few to count

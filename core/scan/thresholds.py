"""All thresholds of the scan and of its verdict, each with the models it was calibrated on.

Units: *suspicion* counts octaves (factors of two). It is how many octaves the size of a class's trigger lies below the
median class, summed over the forms, plus how many octaves earlier the class was reached. A *gap* is a ratio: the
smallest trigger of the other classes that do not stand out themselves, divided by that of the class. "Victims" are
models with a known backdoor.
NOTES.md beside this file has the tables.
"""

# Verdict: (suspicion in octaves, ratio). The ratio is the gap, or how many times earlier the class was reached, in the
# form with the larger value. Calibrated on nine clean networks (suspicion up to 2.7 at a gap of 1.6; without
# normalisation layers 3.0 at 1.29) and on victims of patches, blends, sparse pixels and warps (from 3.2 at 1.3 on).
STRONG = (3.5, 1.8)
SOME = (2.8, 1.3)
HINT = (2.0, 1.3)  # no sign of a backdoor, but the purification still trains against the trigger, as a doubtful one

# One form is decisive, and no other is tried. On the shipped victims, decisive triggers cover 0.1 to 1.8 % of the
# image.
DECISIVE_GAP = 3.0
DECISIVE_SIZE = 0.1  # share of the image, at most

# Evidence of one form.
WORKING_RATE = 0.5  # share of the images that a trigger must change to its class for the trigger to work
SECOND_FORM_GAP = 0.6  # share of the main form's gap from which on another form's trigger is trained against too
MAX_COUNTER_EVIDENCE = -0.5  # octaves: a form that shows nothing lowers the suspicion by no more than this
EARLY_DEVIATIONS = 3.0  # deviations below the median (as in the anomaly index) from which on a class is reached early
MAX_LEAD = 3.0  # octaves that being reached early adds at most

MIN_CLASSES = 4  # with fewer classes there is no distribution to compare with

# Random warps (``warped``): share of the changed images that go to one class, and the ratio to the next class.
# Calibrated on eight clean networks (at most 42 %, ratio 2.6) and three victims of warps (at least 67 %, ratio 4.8).
WARPED_SHARE = 0.55
WARPED_RATIO = 3.0
MIN_WARPED_IMAGES = 50  # images changed by warps; with fewer, the shares are chance

# Unlearning (``unlearned``): share of the wrong answers that name one class, mean over the copies. Calibrated on six
# clean networks (at most 63 %). One victim fell back on an honest class with 89 %: the class is a suspect, not a sign.
FALLBACK_SHARE = 0.7
MIN_UNLEARNING_IMAGES = 200  # clean images; with fewer, there are too few wrong answers to count

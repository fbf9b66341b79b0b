"""The paper's experiments, run again: each with its claims, what the paper says, what came out here, and a verdict.

Beside them those of `why`, which answer questions: a `Claim` of theirs says what was expected (`Prediction`: when that
was written down, and whether a pilot had seen it), and an `Experiment` has `Question`s, whose `Answer`s say in plain
words what follows from a verdict, and which figures belong to them.

To add one, write a file that holds one `Experiment` called ``EXPERIMENT`` and add its name and module to
`trompe.experiments.listing.MODULES`, or to ``REASONS`` there for `why`. The file fixes, before anything runs, its
claims (`Claim`: kind, the paper's words, the line that decides, the unit of replication), how many seeds, how it
differs from the paper, and its cost; it says

- ``units``: what is measured, one `Unit` a run or trained model, each a function of a folder that returns plain JSON.
  The engine writes it to ``DIR/NAME/UNIT.json`` as a whole or not at all, so that a killed command goes on after the
  last unit; a unit that searches gives its folder to `trompe.experiments.runs.searched`, which resumes as well;
- ``measure``: from those data alone, for each claim its values, one a unit (`Measured`). It computes no verdict:
  `trompe.experiments.verdicts` does, by the same rules for every claim;
- ``figures``: pictures of the same data.

Give claims that are tested at least twelve units: the smallest p-value of n is 2 / 2^n, and it counts among all
verdicts of the page. Values are on the scale of the claim's line: log-odds for confidences, never probabilities.
"""

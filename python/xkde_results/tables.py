"""A table as text, Markdown and LaTeX."""

import dataclasses
import re
import unicodedata

LATEX_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
                 "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "→": r"$\rightarrow$",
                 "±": r"$\pm$", "−": "$-$", "–": "--", "…": r"\dots{}", "\n": " "}
LATEX_SPECIAL |= {mark: "\\" + mark for mark in "&%$#_{}"}
MARKDOWN_SPECIAL = re.compile(r"([\\`*_|<>\[\]])")


@dataclasses.dataclass(frozen=True)
class Cell:
    text: str
    bold: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """`groups`, where there are some, stand above the header: (title, columns), from the first column on.

    The first `text_columns` columns are flush left, the others flush right. `rules` are rows above which a line is
    drawn in LaTeX.
    """

    header: list[str]
    rows: list[list[Cell]]
    groups: list[tuple[str, int]] = ()
    caption: str = ""
    notes: list[str] = ()
    text_columns: int = 1
    rules: tuple[int, ...] = ()

    def flat_header(self):
        """The header with the titles of groups in front: "en reliability"."""
        titles = [title for title, span in self.groups for _ in range(span)] or [""] * len(self.header)
        return [f"{title} {name}".strip() for title, name in zip(titles, self.header)]

    def text(self):
        """For a terminal; what is bold has a star."""
        grid = [self.flat_header(), *([cell.text + "*" * cell.bold for cell in row] for row in self.rows)]
        widths = [max(map(display_width, column)) for column in zip(*grid)]
        lines = [self.caption] if self.caption else []
        for row in grid:
            padded = [padded_to(text, width, place < self.text_columns)
                      for place, (text, width) in enumerate(zip(row, widths))]
            lines.append("  ".join(padded).rstrip())
        return "\n".join([*lines, *self.notes]) + "\n"

    def markdown(self):
        marks = [":---" if place < self.text_columns else "---:" for place in range(len(self.header))]
        grid = [[escaped_markdown(name) for name in self.flat_header()], marks,
                *([markdown_cell(cell) for cell in row] for row in self.rows)]
        parts = [escaped_markdown(self.caption)] if self.caption else []
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in grid))
        parts += [escaped_markdown(note) for note in self.notes]
        return "\n\n".join(parts) + "\n"

    def _repr_markdown_(self):
        """What a notebook shows."""
        return self.markdown()

    def latex(self, label="", environment="table"):
        """A table of booktabs, which the document loads; "table*" spans two columns of a page.

        Letters beyond Latin want XeLaTeX or LuaLaTeX.
        """
        columns = "l" * self.text_columns + "r" * (len(self.header) - self.text_columns)
        lines = [rf"\begin{{{environment}}}", r"\centering"]
        if self.caption:
            lines.append(rf"\caption{{{escaped_latex(self.caption)}}}")
        if label:
            lines.append(rf"\label{{{label}}}")
        lines += [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", *self.latex_groups(),
                  latex_line(map(escaped_latex, self.header)), r"\midrule"]
        for place, row in enumerate(self.rows):
            if place in self.rules:
                lines.append(r"\midrule")
            lines.append(latex_line(map(latex_cell, row)))
        lines += [r"\bottomrule", r"\end{tabular}"]
        if self.notes:
            lines += ["", r"\smallskip", r"\begin{minipage}{\linewidth}", r"\footnotesize",
                      *(escaped_latex(note) + r"\par" for note in self.notes), r"\end{minipage}"]
        return "\n".join([*lines, rf"\end{{{environment}}}"]) + "\n"

    def latex_groups(self):
        if not self.groups:
            return []
        cells, rules, first = [], [], 1
        for title, span in self.groups:
            cells.append(rf"\multicolumn{{{span}}}{{c}}{{{escaped_latex(title)}}}" if title else "& " * (span - 1))
            if title:
                rules.append(rf"\cmidrule(lr){{{first}-{first + span - 1}}}")
            first += span
        return [latex_line(cells), " ".join(rules)]


def display_width(text):
    """Columns of a terminal."""
    return sum(0 if unicodedata.combining(mark) else 2 if unicodedata.east_asian_width(mark) in "WF" else 1
               for mark in text)


def padded_to(text, width, is_left):
    blanks = " " * (width - display_width(text))
    return text + blanks if is_left else blanks + text


def escaped_markdown(text):
    return MARKDOWN_SPECIAL.sub(r"\\\1", text.replace("\n", " "))


def markdown_cell(cell):
    text = escaped_markdown(cell.text)
    return f"**{text}**" if cell.bold else text


def escaped_latex(text):
    return "".join(LATEX_SPECIAL.get(mark, mark) for mark in text)


def latex_cell(cell):
    text = escaped_latex(cell.text)
    return rf"\textbf{{{text}}}" if cell.bold else text


def latex_line(cells):
    return " & ".join(cells) + r" \\"

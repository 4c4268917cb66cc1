"""The terminal's screen. Needs Textual (extra "top")."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.coordinate import Coordinate
from textual.events import Resize
from textual.message import Message
from textual.widgets import DataTable, Footer, Input, Static

from wattbook.top import lines
from wattbook.top.answers import About
from wattbook.top.ask import Place
from wattbook.top.detail import detail
from wattbook.top.follow import Follower
from wattbook.top.house import House, Lost, News, Opened, zone_of
from wattbook.top.rows import Column, Rows, columns, wanted
from wattbook.top.sorting import Sorting, in_order

TICK_S = 1.0  # ages are told in seconds; readings wait for it, which spares the CPU
SIDE_WIDTH_MIN = 140  # columns of a terminal that has room for a meter beside the table
SIDE_WIDTH = 58
ABOVE, BELOW = ("title", "trouble", "alerts", "supply", "day"), ("sinks", "storage")  # lines around the table


class Told(Message):
    """The daemon told something."""

    def __init__(self, news: News) -> None:
        super().__init__()
        self.news = news


class Table(DataTable[Text]):
    """The meters."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "cursor_down", "Choose", key_display="↑↓"),
        Binding("enter", "select_cursor", "Meter"),
    ]


class Top(App[None]):
    """Now and Meters."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    .line { height: auto; max-height: 3; }
    .hidden { display: none; }
    #middle { height: 1fr; }
    #meters { width: 1fr; height: 1fr; scrollbar-size-horizontal: 0; scrollbar-size-vertical: 1; }
    #side { width: 1fr; padding: 0 1; display: none; scrollbar-size-vertical: 1; }
    .one #meters { display: none; }
    .one #side { display: block; }
    .wide #meters { display: block; }
    .wide #side { display: block; width: 58; border-left: solid $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),  # Textual would only name another key
        Binding("escape", "leave", "Back"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("r", "refresh", "Refresh"),
        Binding("s", "sort", "Sort"),
        Binding("S", "turn", "Turn", show=False),
        Binding("t", "light", "Light/dark", show=False),
        Binding("j", "move(1)", "Down", show=False),
        Binding("k", "move(-1)", "Up", show=False),
    ]

    def __init__(self, place: Place, about: About) -> None:
        super().__init__()
        self.house = House(about, zone_of(about))
        self._rows = Rows(self.house)
        self._follower = Follower(place, lambda news: self.post_message(Told(news)))
        self._columns: list[Column] = []
        self._order: list[str] = []  # meters in the table
        self._drawn: dict[str, list[Text]] = {}  # meter -> its cells as they stand
        self._words = ""  # of the filter
        self._sorting = self._sorted = Sorting()  # as it shall be, and as the table is
        self._looked_at = ""

    def compose(self) -> ComposeResult:
        """The lines above, the table with a meter beside it, the lines below."""
        for name in ABOVE:
            yield Static(id=name, classes="line", markup=False)
        with Horizontal(id="middle"):
            yield Table(id="meters", cursor_type="row", cell_padding=0, zebra_stripes=False)
            with VerticalScroll(id="side"):
                yield Static(id="detail", markup=False)
        for name in BELOW:
            yield Static(id=name, classes="line", markup=False)
        yield Input(id="filter", classes="hidden", placeholder="name, location, model, state …", compact=True)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to follow."""
        self._table.focus()
        self._follower.start()
        self.set_interval(TICK_S, self._draw)

    def on_unmount(self) -> None:
        """Leave the daemon alone."""
        self._follower.stop()

    @property
    def _table(self) -> Table:
        return self.query_one("#meters", Table)

    @property
    def chosen(self) -> str:
        """The meter under the cursor, or ""."""
        row = self._table.cursor_row
        return self._order[row] if 0 <= row < len(self._order) else ""

    def on_told(self, told: Told) -> None:
        """Take it in; whether the connection stands is shown at once, the rest with the next tick."""
        self.house.take(told.news)
        if isinstance(told.news, Lost | Opened):
            self._draw()

    def on_resize(self, event: Resize) -> None:
        """Another width has other columns."""
        self.screen.set_class(event.size.width >= SIDE_WIDTH_MIN, "wide")
        self.call_after_refresh(self._draw)

    # What is drawn

    def _draw(self) -> None:
        parts = (*ABOVE, "meters", "detail", *BELOW)
        if not all(self.query(f"#{name}") for name in parts):  # on its way out, while something still came
            return
        width = self.size.width
        self._line("title", lines.title(self.house, width))
        for name in (*ABOVE[1:], *BELOW):
            self._line(name, getattr(lines, name)(self.house))
        self._draw_table(width - (SIDE_WIDTH if self._wide else 0) - 1)
        self._draw_detail()

    def _line(self, name: str, words: Text) -> None:
        line = self.query_one(f"#{name}", Static)
        if line.content != words:
            line.update(words)
            line.set_class(not words.plain, "hidden")

    def _draw_table(self, width: int) -> None:
        fitting = columns(width)
        meters = [meter for meter in self.house.rows() if wanted(meter, self._words)]
        meters = in_order(self.house, meters, self._sorting)
        order = [meter.name for meter in meters]
        if (fitting, order, self._sorting) != (self._columns, self._order, self._sorted):
            self._build(fitting, order)
        for row, meter in enumerate(meters):
            self._draw_row(row, meter.name, self._rows.cells(meter, fitting))

    def _build(self, fitting: list[Column], order: list[str]) -> None:
        """The table anew, with the cursor on the meter where it was."""
        chosen, table = self.chosen, self._table
        table.clear(columns=True)
        for column in fitting:
            left = column.key in ("name", "state", "location", "spark")
            title = column.title + (self._sorting.mark if column.key == self._sorting.key else "")
            label = title if left else title.rjust(column.width)
            table.add_column(Text(label), key=column.key, width=column.width)
        for name in order:
            table.add_row(*(Text() for _ in fitting), key=name)
        self._columns, self._order, self._sorted, self._drawn = fitting, order, self._sorting, {}
        if chosen in order:
            table.move_cursor(row=order.index(chosen))

    def _draw_row(self, row: int, name: str, cells: list[Text]) -> None:
        before = self._drawn.get(name)
        for place, cell in enumerate(cells):
            if before is None or before[place] != cell or before[place].style != cell.style:
                self._table.update_cell_at(Coordinate(row, place), cell)
        self._drawn[name] = cells

    def _draw_detail(self) -> None:
        side = self.query_one("#side")
        if not side.display:
            return
        if self.chosen != self._looked_at:
            self._looked_at = self.chosen
            self._follower.look_at(self.chosen)
        words = detail(self.house, self.chosen, side.content_size.width)
        shown = self.query_one("#detail", Static)
        if shown.content != words:
            shown.update(words)

    # What keys do

    @property
    def _wide(self) -> bool:
        return self.screen.has_class("wide")

    def on_data_table_row_highlighted(self) -> None:
        """Another meter is chosen."""
        self._draw_detail()

    def on_data_table_row_selected(self) -> None:
        """Enter in the table."""
        self.action_show()

    def action_show(self) -> None:
        """Show the chosen meter alone; where it stands beside the table, let it be scrolled."""
        if self.chosen:
            self.screen.add_class("one")
            self.query_one("#side").focus()
            self._draw()

    def action_leave(self) -> None:
        """Back to the table; there, all meters again."""
        if self.screen.has_class("one"):
            self.screen.remove_class("one")
        else:
            self._words = ""
            self._close_filter()
        self._table.focus()
        self._draw()

    def action_filter(self) -> None:
        """Ask for words."""
        self.screen.remove_class("one")
        field = self.query_one("#filter", Input)
        field.remove_class("hidden")
        field.focus()

    def on_input_changed(self, changed: Input.Changed) -> None:
        """Each letter counts."""
        self._words = changed.value
        self._draw()

    def on_input_submitted(self) -> None:
        """The words hold; the field stays while they do."""
        if not self._words:
            self._close_filter()
        self._table.focus()

    def _close_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.value = ""
        field.add_class("hidden")

    def action_refresh(self) -> None:
        """Ask everything again."""
        self._follower.refresh()

    def action_sort(self) -> None:
        """By the next column."""
        self._sort(self._sorting.next(self._columns))

    def action_turn(self) -> None:
        """The other way round."""
        self._sort(self._sorting.turn())

    def on_data_table_header_selected(self, selected: DataTable.HeaderSelected) -> None:
        """A click on a title."""
        self._sort(self._sorting.by(str(selected.column_key.value)))

    def _sort(self, sorting: Sorting) -> None:
        self._sorting = sorting
        self._draw()

    def action_light(self) -> None:
        """For a light room."""
        self.theme = "textual-light" if self.theme == "textual-dark" else "textual-dark"

    def action_move(self, rows: int) -> None:
        """As arrows do, for hands that know vi."""
        self._table.move_cursor(row=self._table.cursor_row + rows)

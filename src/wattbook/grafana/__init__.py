"""What Grafana is given to show the readings that a sink writes: data sources and dashboards as files."""

from wattbook.grafana.of_sink import readings_of
from wattbook.grafana.provision import files_of
from wattbook.grafana.readings import Readings

__all__ = ["Readings", "files_of", "readings_of"]

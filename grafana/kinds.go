package grafana

import (
	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/statushistory"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// points is how many moments of the time range queries are evaluated at: of six
// hours, one in 90 seconds. Grafana's own number is the panel's width in pixels.
const points = 240

func lastValue() *common.ReduceDataOptionsBuilder {
	return common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})
}

// legend and tooltip set every field, because Grafana does not accept the empty texts that
// the SDK has as defaults.
func legend(show bool) *common.VizLegendOptionsBuilder {
	return common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom).ShowLegend(show)
}

func tooltip(mode common.TooltipDisplayMode, sort common.SortOrder) *common.VizTooltipOptionsBuilder {
	return common.NewVizTooltipOptionsBuilder().Mode(mode).Sort(sort)
}

// number shows one value, or one for each group of exporters.
func number(p panel) *stat.PanelBuilder {
	p.height = or(p.height, 4)
	b := style(stat.NewPanelBuilder(), p)
	if p.unit == days {
		b = b.Decimals(1)
	}
	return b.GraphMode(common.BigValueGraphModeNone).
		Orientation(common.VizOrientationAuto).ReduceOptions(lastValue())
}

// lines shows values over time.
func lines(p panel) *timeseries.PanelBuilder {
	return style(timeseries.NewPanelBuilder(), p).MaxDataPoints(points).ColorScheme(colour(dashboard.FieldColorModeIdPaletteClassic)).Min(0).LineWidth(2).
		Legend(legend(true)).Tooltip(tooltip(common.TooltipDisplayModeMulti, common.SortOrderDescending))
}

// dashed marks lines that are limits.
func dashed(b *timeseries.PanelBuilder, legends string) *timeseries.PanelBuilder {
	return b.OverrideByRegexp(legends, []dashboard.DynamicConfigValue{
		{Id: "color", Value: dashboard.FieldColor{Mode: dashboard.FieldColorModeIdFixed, FixedColor: new(grey)}},
		{Id: "custom.lineStyle", Value: common.LineStyle{Fill: new(common.LineStyleFillDash), Dash: []float64{10, 10}}},
	})
}

// spans shows in which state something was, and when.
func spans(p panel) *statetimeline.PanelBuilder {
	p.steps = []step{{0, dark}}
	return style(statetimeline.NewPanelBuilder(), p).MaxDataPoints(points).RowHeight(.85).FillOpacity(80).
		Legend(legend(true)).Tooltip(tooltip(common.TooltipDisplayModeSingle, common.SortOrderNone))
}

// history shows amounts in slices of time.
func history(p panel) *statushistory.PanelBuilder {
	return style(statushistory.NewPanelBuilder(), p).RowHeight(.85).FillOpacity(80).
		Legend(legend(true)).Tooltip(tooltip(common.TooltipDisplayModeSingle, common.SortOrderNone))
}

// bars compares values at the end of the time range.
func bars(p panel) *bargauge.PanelBuilder {
	return style(bargauge.NewPanelBuilder(), p).Min(0).DisplayMode(common.BarGaugeDisplayModeBasic).ValueMode(common.BarGaugeValueModeText).
		Orientation(common.VizOrientationHorizontal).NamePlacement(common.BarGaugeNamePlacementLeft).ReduceOptions(lastValue()).
		Legend(legend(false))
}

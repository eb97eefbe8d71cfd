"""Documents of finance that replace what stands; ``number`` tells what writers wrote apart, ``project`` is whose budget it is."""

BUDGETS = """\
apiVersion: allotment/v1
kind: Budgets
budgets:
  - {{project: {project}, year: 2026, amount: "{number}.00"}}
"""
COST_POOLS = """\
apiVersion: allotment/v1
kind: CostPools
pools:
  - {{name: power, kind: power, amount: "{number}.00", from: 2026-01-01, to: 2027-01-01, over: vcpu}}
"""
EFFICIENCY_RULES = """\
apiVersion: allotment/v1
kind: EfficiencyRules
idle: {{cpu-percent: {number}, mib-per-day: 50, stopped-days: 14}}
oversized: {{cpu-percent: 30, memory-percent: 50, load-percent: 60}}
coverage-percent: 50
targets:
  - {{network-class: gov-public, cpu-percent: 20, memory-percent: 40}}
"""

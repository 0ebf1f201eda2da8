from pentathlon.reporting.sections import sections
from pentathlon.reporting.selection import selection_section


def test_without_a_selection_there_is_no_section(small_run):
    results = small_run.results()
    assert selection_section(results) == []
    assert "feature-selection" not in {s.anchor for s in sections(results)}


def test_what_was_dropped_is_told_with_its_reason(small_run):
    table = small_run.selection("permutation", dropped=["freq_run"])
    results = small_run.results(changes={"xgboost_feature_selection": table})
    (section,) = selection_section(results)
    assert section in sections(results)
    assert section.points == [
        "XGBoost: permutation importance keeps 1 of 2 features and drops freq run."
    ]
    (shown,) = section.tables
    assert shown.caption == "XGBoost is told 1 of 2 features"
    assert shown.header[3] == "Importance (thousandths of a nat of log loss)"
    assert shown.rows == [
        ["income", "kept", "beyond it", "1.500", "0.400", "2 of 2"],
        ["freq run", "dropped", "not beyond 1 standard error", "1.500", "0.400", "1 of 2"],
    ]
    assert shown.marked == [1]


def test_an_l1_path_has_coefficients_and_no_standard_error(small_run):
    results = small_run.results(
        changes={"xgboost_feature_selection": small_run.selection("l1_path")}
    )
    (section,) = selection_section(results)
    assert section.points == ["XGBoost: an L1 path keeps 2 of 2 features and drops nothing."]
    (shown,) = section.tables
    assert shown.header[3] == "Importance (sum of coefficients, SD)"
    assert {row[4] for row in shown.rows} == {""}

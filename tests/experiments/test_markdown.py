from etram_pipeline.experiments.markdown import markdown_table


def test_a_bar_inside_a_cell_does_not_end_it() -> None:
    table = markdown_table(["name", "hypothesis"], [["one", "AP | night rises"]])
    assert table == "| name | hypothesis |\n| --- | --- |\n| one | AP \\| night rises |"

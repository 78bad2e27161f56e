from pathlib import Path

import pytest

from agent_orchestrator.domain.plan import Plan
from agent_orchestrator.planning.decomposer import TaskDecomposer
from agent_orchestrator.planning.heuristic import plan_by_rules
from agent_orchestrator.planning.profile import Profile
from agent_orchestrator.planning.roster import Roster

ROSTER = Roster()


def planned(goal: str, profile: Profile | None = None) -> Plan:
    return TaskDecomposer(roster=ROSTER, profile=profile).decompose(goal)


def titles(plan: Plan) -> list[str]:
    return [task.title for task in plan.tasks]


def before(plan: Plan, title: str) -> set[str]:
    """The titles of everything that must be done before the task whose title contains *title*."""
    by_id = {task.id: task for task in plan.tasks}
    waiting = [next(task for task in plan.tasks if title in task.title)]
    found: set[str] = set()
    while waiting:
        for need in waiting.pop().depends_on:
            found.add(by_id[need].title)
            waiting.append(by_id[need])
    return found


@pytest.mark.parametrize(
    "goal",
    [
        "Fix the typo in the footer",
        "Rename the helper parse_date, update its callers",
        "Bump numpy, pandas, and scipy",
        "Make the settings page responsive",
        "Stop the spinner from blinking: it can flicker, but the text should stay",
        "Add a contact form with name, email, message, and captcha",
        "Add columns for name, cache size, log level, and test results",
        "Open a ticket when the build breaks and close it when it is green",
        "Write a command line tool that prints the tides",
        "Delete unused images, fonts, and icons from the assets folder",
        "Corrige el error de la página de inicio",
        "修复登录按钮",
        "Popraw błąd w formularzu logowania",
    ],
)
def test_a_small_goal_stays_one_task(goal: str) -> None:
    plan = planned(goal)

    assert len(plan.tasks) == 1
    assert plan.tasks[0].description == goal


@pytest.mark.parametrize(
    "goal",
    [
        "Do:\n1. Add the parser\n2. Add the printer\n3. Add the linter",
        "Do:\n- Add the parser\n- [ ] Add the printer\n* Add the linter",
        "Do 1) Add the parser 2) Add the printer 3) Add the linter",
        "Add the parser; add the printer; add the linter",
        "Add the parser, add the printer, and add the linter",
        "Añadir el parser; crear el printer; agregar el linter",
        "Ajouter le parser, créer le printer, et ajouter le linter",
        "添加解析器，创建打印机，并实现检查器",
        "一、添加解析器\n二、创建打印机\n三、实现检查器",
        "Dodaj parser; utwórz printer; dodaj linter",
    ],
)
def test_every_item_of_a_list_is_a_task(goal: str) -> None:
    parts = [task for task in planned(goal).tasks if task.id != "verify"]

    assert len(parts) == 3
    assert all(goal in task.description for task in parts)


def test_items_of_a_list_wait_for_the_layers_below_them_not_for_the_item_above() -> None:
    plan = planned(
        "Bookings:\n1. Build the booking page\n2. Write tests\n3. Define the booking schema\n4. Add the booking API"
    )

    assert before(plan, "booking schema") == set()
    assert before(plan, "booking API") == {"Define the booking schema"}
    assert before(plan, "booking page") >= {"Add the booking API", "Define the booking schema"}
    assert len(before(plan, "Write tests")) == 3


def test_requests_without_a_common_theme_run_side_by_side() -> None:
    plan = planned("Add an audit trail for logins, make the header sticky on the page, and translate the README")

    assert [task.depends_on for task in plan.tasks[:3]] == [(), (), ()]
    assert plan.tasks[3].depends_on == tuple(task.id for task in plan.tasks[:3])


def test_two_requests_to_one_specialist_stay_together() -> None:
    assert len(planned("Add the login endpoint, and add the logout endpoint").tasks) == 1


def test_items_that_say_when_it_is_done_are_acceptance_not_tasks() -> None:
    plan = planned("Add CSV export\n\nAcceptance criteria:\n- the button is visible\n- the file has a header")

    assert len(plan.tasks) == 1
    assert plan.tasks[0].acceptance == ("the button is visible", "the file has a header")


def test_details_below_an_item_stay_with_it() -> None:
    plan = planned("Plan:\n- Add the parser\n  - for dates\n  - for times\n- Add the printer")

    assert [task.title for task in plan.tasks][:2] == ["Add the parser", "Add the printer"]
    assert "for times" in plan.tasks[0].description.split("This is one part")[0]


def test_named_things_become_siblings_after_a_shared_design() -> None:
    plan = planned("Split the monolith into billing, shipping, and catalog services")

    for name in ("billing", "shipping", "catalog"):
        assert before(plan, f"{name} service") == {"Define the boundaries, contracts and data of the services"}


@pytest.mark.parametrize(
    "goal",
    [
        "Build a recipe sharing app with Vue and Django",
        "Crear una aplicación web para recetas de cocina",
        "Erstelle eine Webanwendung für Kochrezepte",
        "开发一个菜谱分享平台",
        "Stwórz aplikację do przepisów kulinarnych",
    ],
)
def test_an_app_is_modelled_then_served_then_shown_then_verified(goal: str) -> None:
    plan = planned(goal)

    assert [task.agent_type for task in plan.tasks] == [
        *("data-architect-governance", "backend-systems-engineer", "frontend-ui-engineer", "qa-test-engineer"),
    ]
    assert [task.phase for task in plan.tasks] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "goal",
    [
        "Build an online shop with a cart, checkout and receipts",
        "Crear una tienda en línea con carrito, pago y correos",
        "Baue einen Online-Shop mit Warenkorb, Kasse und Rechnungen",
        "Créer une boutique en ligne avec panier, paiement et factures",
        "建立一个网上商店，包括购物车、支付和订单管理",
    ],
)
def test_a_shop_is_an_app_in_any_of_the_languages(goal: str) -> None:
    plan = planned(goal)

    assert titles(plan)[0] == "Design the data model and database schema"
    assert sum(title.startswith("Implement ") for title in titles(plan)) == 3
    assert "Build the user interface" in titles(plan)


@pytest.mark.parametrize(
    "goal",
    [
        "Erstelle eine REST-API für Bücher mit Anmeldung, Suche und Tests",
        "Crea una API REST para libros con autenticación, búsqueda y pruebas",
        "创建一个图书REST API，包括登录、搜索和测试",
    ],
)
def test_tests_beside_the_features_of_an_api_are_no_feature_in_any_language(goal: str) -> None:
    found = titles(planned(goal))

    assert "Implement the endpoints" in found and "Test the API end to end" in found, found


@pytest.mark.parametrize(
    "goal", ["Migrar la base de datos de MySQL a PostgreSQL", "Migriere die Datenbank von MySQL nach PostgreSQL"]
)
def test_a_database_is_moved_in_steps_in_any_language(goal: str) -> None:
    assert titles(planned(goal))[:4] == titles(planned("Migrate the database from MySQL to PostgreSQL"))[:4]


def test_an_app_in_a_project_without_screens_gets_none_unless_asked() -> None:
    server = Profile(folder=Path("/nowhere"), languages=(("Go", 40),))

    assert "Build the user interface" not in titles(planned("Build a billing platform", server))
    assert "Build the user interface" in titles(planned("Build a billing platform with a dashboard", server))
    assert "Build the user interface" in titles(planned("Build a billing web app", server))
    assert "Build the user interface" in titles(planned("Build a billing platform"))


@pytest.mark.parametrize(
    ("goal", "first", "others"),
    [
        ("Build a parser, a formatter and a linter", "Build a parser", 2),
        ("Develop a REST API, a web frontend and a background worker.", "Develop a REST API", 2),
        ("Create a landing page, a contact form, and a newsletter signup", "Create a landing page", 2),
        ("Crée une page d'accueil, une API de commandes et un export nocturne", "Crée une page d'accueil", 2),
        ("Create a user, a role and a permission", "Create a user, a role and a permission", 0),
        (
            "Add a name, an email and a phone number to the form",
            "Add a name, an email and a phone number to the form",
            0,
        ),
        (
            "Build a CLI that reads a CSV, a JSON and a YAML file",
            "Build a CLI that reads a CSV, a JSON and a YAML file",
            0,
        ),
        ("Build a small, fast and simple parser", "Build a small, fast and simple parser", 0),
    ],
)
def test_several_things_to_build_are_a_task_each_where_each_has_its_article(goal: str, first: str, others: int) -> None:
    tasks = plan_by_rules(goal, ROSTER).tasks

    assert (tasks[0].title, len(tasks)) == (first, others + 1)


def test_a_test_or_a_page_of_all_of_it_waits_for_every_part() -> None:
    plan = planned("1. Add fines\n2. Show fines on the page\n3. Add mails\n4. Cover all of it with tests")

    assert before(plan, "Cover all of it with tests") == {
        "Add fines",
        "Show fines on the page",
        "Add mails",
    }


@pytest.mark.parametrize(
    ("goal", "last"),
    [
        (
            "Add to the shell: history, completion, aliases. Then document all of it in the README.",
            "Document all of it in the README",
        ),
        (
            "The tool needs: expenses, totals per category, charts. Use Python. Write tests for them.",
            "Write tests for them",
        ),
        ("Es fehlen: Ausgaben, Summen, Diagramme. Danach eine Anleitung schreiben.", "Eine Anleitung schreiben"),
        ("家計簿アプリを作る：支出の入力、カテゴリ別の集計、グラフ。最後にREADMEを書く。", "最後にREADMEを書く"),
    ],
)
def test_what_is_asked_for_after_a_list_of_things_is_a_task_that_waits_for_all_of_them(goal: str, last: str) -> None:
    plan = planned(goal)

    tasks = [task for task in plan.tasks if task.id != "verify"]
    assert len(tasks) == 4 and tasks[3].title == last
    assert tasks[3].depends_on == ("part-1", "part-2", "part-3")


def test_a_german_part_with_its_verb_at_the_end_gets_no_english_one_in_front() -> None:
    titles = {task.title for task in planned("- Tests schreiben\n- Export einbauen\n- Anleitung schreiben").tasks}

    assert titles >= {"Tests schreiben", "Anleitung schreiben"}


@pytest.mark.parametrize("goal", ["Add to the shell: history, completion, aliases. Use Go. Keep it small."])
def test_what_is_only_said_after_a_list_of_things_is_no_task(goal: str) -> None:
    assert [task.id for task in planned(goal).tasks] == ["part-1", "part-2", "part-3", "verify"]


@pytest.mark.parametrize(
    "goal", ["Handle time zones in the report", "The site is available in Spanish", "Support two currencies"]
)
@pytest.mark.parametrize(
    ("languages", "who"),
    [
        ((("Rust", 12), ("Shell", 1)), "backend-systems-engineer"),
        ((("Vue", 30), ("JavaScript", 9)), "frontend-ui-engineer"),
        ((("Python", 30),), "generalist"),  # whose files are everybody's
    ],
)
def test_in_a_project_its_files_decide_where_neither_word_nor_path_does(
    goal: str, languages: tuple[tuple[str, int], ...], who: str, tmp_path: Path
) -> None:
    here = Profile(folder=tmp_path, languages=languages)

    (task,) = plan_by_rules(goal, ROSTER, here).tasks

    assert task.agent_type == who
    assert task.routing is not None and task.routing.is_guess
    assert plan_by_rules("Write the user guide", ROSTER, here).tasks[0].agent_type == "documentation-writer"


def test_an_api_is_designed_before_it_is_built_and_built_before_it_is_tested() -> None:
    plan = planned("Create a REST API for invoices with JWT authentication and documentation")

    assert before(plan, "Implement the endpoints") == {"Design the API contract and the data model"}
    assert {"Implement the endpoints", "Add authentication and permissions"} <= before(plan, "Test the API")
    assert "Test the API end to end" in before(plan, "Write the documentation")


def test_an_api_that_is_added_with_all_that_belongs_to_one_is_a_project_too() -> None:
    whole = planned("Add a REST API for bookmarks with tags, authentication, tests and docs")
    part = planned("Add a REST API for bookmarks")

    assert {task.id for task in whole.tasks} == {"contract", "api", "auth", "tests", "docs"}
    assert len(part.tasks) == 1


@pytest.mark.parametrize(
    "goal",
    [
        "Implementar un sistema de reservas con calendario, pagos y notificaciones",
        "构建一个任务管理系统，支持用户登录、任务分配和通知",
        "Criar um sistema de vendas com estoque, pagamentos e relatórios",
    ],
)
def test_the_features_of_an_app_are_found_in_other_languages(goal: str) -> None:
    plan = planned(goal)

    assert {"model", "part1", "part2", "part3", "ui", "verify"} == {task.id for task in plan.tasks}


def test_a_web_app_in_german_is_an_app() -> None:
    plan = planned("Entwickle eine Web-App zur Zeiterfassung mit Login, Berichten und Export")

    assert {"model", "api", "auth", "ui", "verify"} == {task.id for task in plan.tasks}


def test_features_after_a_colon_are_parts_of_the_app() -> None:
    plan = planned("Develop a telemetry platform: device registry, ingestion, storage, dashboards")

    assert [title for title in titles(plan) if title.startswith("Implement")] == [
        "Implement device registry",
        "Implement ingestion",
        "Implement storage",
        "Implement dashboards",
    ]


def test_what_is_there_already_is_not_built_again() -> None:
    assert len(planned("Dockerize the app and set up CI/CD to AWS ECS").tasks) == 1
    assert len(planned("Frobnicate the platform").tasks) == 1


def test_moving_code_asks_for_no_schema_and_goes_to_those_who_write_such_code() -> None:
    screens = planned("Migrate our monolith from AngularJS to React")
    data = planned("Migrate the legacy database from Oracle to PostgreSQL")

    assert [task.agent_type for task in screens.tasks if task.id in {"inventory", "target", "move"}] == [
        "frontend-ui-engineer"
    ] * 3
    assert not any("schema" in title for title in titles(screens))
    assert any("schema" in title for title in titles(data))


def test_names_of_operations_are_no_tasks() -> None:
    goal = "Add a CLI with three commands: add, list, remove; with tests and docs"

    assert titles(planned(goal))[0] == "Add a CLI with three commands: add, list, remove"
    assert len(planned(goal.partition(";")[0]).tasks) == 1


def test_an_api_that_is_asked_for_with_screens_gets_them_before_the_tests_of_the_whole() -> None:
    plan = planned("Build a REST API for a book shop with user, order and payment services, and a React UI")

    assert "Implement the endpoints for payment service" in before(plan, "Build the user interface")
    assert "Build the user interface" in before(plan, "Test the API")


def test_a_data_pipeline_ingests_before_it_transforms() -> None:
    plan = planned("Build an ETL pipeline from the shop database to the warehouse")

    assert "Implement the ingestion from the sources" in before(plan, "transformation")
    assert "Implement the transformation and the load" in before(plan, "quality")


def test_a_build_pipeline_is_no_data_pipeline() -> None:
    assert len(planned("Set up a CI pipeline for the monorepo").tasks) == 1


def test_a_learning_system_prepares_data_before_it_trains_and_trains_before_it_serves() -> None:
    plan = planned("Build a machine learning system that predicts delivery times")

    assert "Prepare and explore the training data" in before(plan, "Train and evaluate")
    assert "Train and evaluate the model" in before(plan, "Serve predictions")


def test_infrastructure_puts_the_network_first_and_storage_beside_it() -> None:
    plan = planned("Write Terraform for a VPC, an EKS cluster, RDS and S3 buckets in staging and production")

    network = next(title for title in titles(plan) if "network" in title)
    assert before(plan, "compute") == {network}
    assert before(plan, "databases") == {network}
    assert before(plan, "storage") == set()
    assert len(before(plan, "environments")) == 4


def test_a_big_migration_takes_stock_first_and_a_small_one_is_one_task() -> None:
    assert titles(planned("Migrate the legacy billing database to PostgreSQL"))[0].startswith("Take stock")
    assert len(planned("Migrate from moment to date-fns").tasks) == 1


def test_no_task_of_several_repeats_the_goal_and_each_can_be_read_alone() -> None:
    goal = "Create a photo sharing platform with albums, comments, and likes"
    plan = planned(goal)

    assert goal not in titles(plan)
    assert len(set(titles(plan))) == len(plan.tasks)
    assert all(goal in task.description and task.acceptance for task in plan.tasks)


def test_tasks_leave_the_command_to_the_project() -> None:
    assert {task.verify for task in planned("Build a recipe sharing app").tasks} == {None}


def test_more_list_items_than_a_plan_may_hold_are_bundled_without_losing_one() -> None:
    items = [f"Add the widget number {n} for customer {n * 7}" for n in range(130)]
    plan = planned("Do:\n" + "\n".join(f"- {item}" for item in items))

    own = "\n".join(task.description.split("This is one part")[0] for task in plan.tasks)
    assert len(plan.tasks) <= 50
    assert all(item in own for item in items)


def test_the_same_goal_gives_the_same_plan() -> None:
    goal = "Create a photo sharing platform with albums, comments, and likes"

    assert planned(goal) == TaskDecomposer(roster=Roster()).decompose(goal)


def test_names_of_files_and_code_are_never_changed() -> None:
    items = (
        "Keep *args* and snake_case_names and __all__ in tabulate/__init__.py",
        "Support globs such as src/**/*.py and tests/**",
        "Pass **kwargs and **options on",
        "Rename `__main__` to `run__all`",
        "Compute 2**3 and 4**5 alike",
    )
    plan = planned("Do this:\n" + "\n".join(f"{at}. {item}" for at, item in enumerate(items, 1)))

    assert titles(plan)[: len(items)] == [item.replace("`", "") for item in items]


def test_marks_round_whole_words_are_left_out_of_titles() -> None:
    plan = planned("Do this:\n- **Add a login page**\n- __Fix the__ `start` button\n- **Speed**: cache the list")

    assert titles(plan)[:3] == ["Add a login page", "Fix the start button", "Speed: cache the list"]


@pytest.mark.parametrize(
    ("goal", "title"),
    [
        (
            "Sessions: fix that a cookie with an empty value is dropped when it is saved to the session file",
            "Sessions: fix that a cookie with an empty value is dropped when it is saved to…",
        ),
        (
            "Fix #1234: the program ends with a TypeError when the cookie has an empty value and nothing else",
            "Fix #1234: the program ends with a TypeError when the cookie has an empty…",
        ),
        ("Add a --retry option: failed requests are sent up to N times with exponential backoff, as curl does",
         "Add a --retry option"),
    ],
)  # fmt: skip
def test_a_title_says_what_is_to_be_done_and_not_only_the_label_before_it(goal: str, title: str) -> None:
    assert titles(planned(goal)) == [title]
    listed = planned(f"Mend:\n- {goal}\n- Add an export button to the list of orders")
    assert titles(listed)[0] == title


def test_what_stands_after_the_colon_of_one_thing_is_what_it_does_and_no_tasks_of_their_own() -> None:
    plan = planned(
        "Add a --retry option: retry failed requests up to N times with exponential backoff, show each retry in the "
        "output, document it and test it"
    )

    change, tests, docs = titles(plan)[:3]
    assert (change, tests) == ("Add a --retry option", "Write the tests for the --retry option")
    assert docs == "Document the --retry option"
    assert (
        "exponential backoff, show each retry in the output" in plan.tasks[0].description.split("This is one part")[0]
    )


@pytest.mark.parametrize(
    ("goal", "first"),
    [
        ("Add a health check endpoint, with tests and a line in the docs", "Add a health check endpoint"),
        ("Write a CLI that counts words, with unit tests and a README", "Write a CLI that counts words"),
        ("Support the TOML format. Add tests and update the README.", "Support the TOML format"),
        ("Add pagination to the list of orders, including docs and tests", "Add pagination to the list of orders"),
    ],
)
def test_a_change_with_tests_and_docs_is_made_before_both_and_by_three(goal: str, first: str) -> None:
    plan = planned(goal)

    assert [task.agent_type for task in plan.tasks[1:3]] == ["qa-test-engineer", "documentation-writer"]
    assert titles(plan)[0] == first
    assert [task.depends_on for task in plan.tasks[:3]] == [(), ("change",), ("change",)]


@pytest.mark.parametrize(
    "goal",
    ["Update the tests and docs", "Add dark mode with tests", "Fix the broken link, with a test and a changelog entry",
     "Improve tests and documentation for the parser"],
)  # fmt: skip
def test_what_every_change_should_have_is_no_task_of_its_own(goal: str) -> None:
    assert len(planned(goal).tasks) == 1


@pytest.mark.parametrize(
    "goal",
    [
        "First refactor the parser, then add a cache on top of it, and finally document the cache",
        "First refactor the parser. Then add a cache on top of it. Finally document the cache.",
        "Refactor the parser, then add a cache on top of it and then document the cache",
        "First, refactor the parser; then, add a cache on top of it; lastly document the cache",
    ],
)
def test_what_is_asked_for_in_an_order_is_done_in_that_order(goal: str) -> None:
    plan = planned(goal)

    assert titles(plan)[:3] == ["Refactor the parser", "Add a cache on top of it", "Document the cache"]
    assert [task.depends_on for task in plan.tasks[:3]] == [(), ("part-1",), ("part-2",)]


def test_a_blog_with_login_has_the_parts_of_an_app() -> None:
    assert titles(planned("Build a blog with login")) == [
        "Design the data model and database schema", "Implement the backend API", "Build the user interface",
        "Add authentication and permissions", "Verify that the finished parts work together",
    ]  # fmt: skip
    assert len(planned("Write a blog post about our login").tasks) == 1


@pytest.mark.parametrize(
    "last",
    ["Write tests for each of the above", "Write tests for all of these", "Document the above",
     "Write tests for every feature", "Document everything", "Test both of them"],
)  # fmt: skip
def test_an_item_that_speaks_of_all_others_waits_for_all_of_them(last: str) -> None:
    plan = planned(f"- Add the table of exports\n- Add a test button to the export page\n- Add a CSV reader\n- {last}")

    assert before(plan, last) >= set(titles(plan)[:3])


def test_an_item_that_speaks_of_all_that_follow_waits_for_those() -> None:
    plan = planned("- Test all of the following\n- Add a CSV reader\n- Add a JSON writer")

    assert before(plan, "Test all") == {"Add a CSV reader", "Add a JSON writer"}
    assert "Test all of the following" not in before(plan, "Add a CSV reader")


def test_one_thing_asked_of_each_of_a_list_stands_in_every_title() -> None:
    plan = planned("Write tests for all of the following:\n- The CSV reader\n- The JSON writer")

    assert titles(plan)[:2] == ["Write tests for the CSV reader", "Write tests for the JSON writer"]


def test_a_part_is_related_by_its_object_also_where_that_can_be_a_verb() -> None:
    plan = planned(
        "1. Add a date filter to the list\n2. Add the table of exports to the database\n3. Build the export page\n"
        "4. Test the list and the export"
    )

    assert before(plan, "Build the export page") == {"Add the table of exports to the database"}
    assert len(before(plan, "Test the list")) == 3


PRD = """# Meal planner

## Goals
- Save time
- Waste less food

## Features
1. Import recipes from a URL
2. Weekly calendar with drag and drop
3. Ask before a recipe is deleted

## Non-goals
- Payments

## Success metrics
- 30% of users plan two weeks in a row
"""


def test_only_what_a_document_lists_as_work_is_work() -> None:
    assert titles(planned(PRD)) == [
        "Import recipes from a URL", "Implement weekly calendar with drag and drop",
        "Ask before a recipe is deleted", "Verify that the finished parts work together",
    ]  # fmt: skip
    aims = planned("# Q3\n\n## Goals\n- Add a search page\n- Migrate the orders table\n- Write the manual")
    assert len(aims.tasks) >= 3, "where nothing else is listed, the goals are the work"


def test_the_steps_that_show_a_fault_are_no_tasks() -> None:
    goal = "Reminders come an hour late\n\nSteps to reproduce:\n1. Create a reminder\n2. Set the zone\n3. Wait a day"

    assert len(planned(goal).tasks) == 1
    assert len(planned("1. Create a page 2. Write its tests 3. Deploy it").tasks) >= 3, "in running words they are"


@pytest.mark.parametrize(
    "goal",
    [
        "Write a research report comparing three approaches to offline sync: CRDTs, operational transforms, and diffs",
        "Compare message queues for us:\n- RabbitMQ\n- Kafka\n- NATS",
        "Evaluate three vendors: Acme, Globex, Initech",
    ],
)
def test_one_inquiry_into_several_things_is_one_task(goal: str) -> None:
    assert len(planned(goal).tasks) == 1


def test_a_store_of_keys_or_objects_is_no_shop() -> None:
    plan = planned("Implement a key-value store in Rust with persistence, replication, and a benchmark suite")

    assert not {"Build the user interface", "Design the data model and database schema"} & set(titles(plan))
    assert len(planned("Build an object store").tasks) == 1
    assert "Build the user interface" in titles(planned("Build an online store"))


def test_a_program_with_listed_parts_has_a_core_that_they_wait_for() -> None:
    plan = planned("Build a 2D platformer game with levels, enemies, and sound")

    assert titles(plan)[:4] == ["Build the core of the 2D platformer game", "Add levels", "Add enemies", "Add sound"]
    assert before(plan, "Add enemies") == {"Build the core of the 2D platformer game"}
    assert {task.agent_type for task in plan.tasks[:4]} == {"frontend-ui-engineer"}, "its screen is what it is"
    assert len(planned("Write a script with logging, retries, and a dry run").tasks) == 1


def test_what_one_thing_is_taken_apart_into_is_one_agents_work() -> None:
    plan = planned("Split shop/orders.py into a package: model, storage and routes. Keep the public names.")

    assert titles(plan) == ["Split shop/orders.py into a package"]
    assert len(planned("Split the monolith into user, order, and payment services").tasks) > 3


def test_an_app_is_known_by_the_end_of_a_german_compound() -> None:
    plan = planned("Erstelle ein Buchungssystem für eine Praxis mit Terminen, Erinnerungen und Rechnungen")

    assert titles(plan)[0] == "Design the data model and database schema"
    assert titles(plan)[-2] == "Build the user interface"
    assert len(planned("Füge dem Buchungssystem einen Kalender hinzu").tasks) == 1


def test_a_whole_application_that_goes_to_another_technology_is_a_migration_and_a_newer_version_is_none() -> None:
    assert titles(planned("Migrate our PHP shop to Django without downtime"))[-2].startswith("Prepare the cut-over")
    for goal in (
        "Migrate our shop to Django 5",
        "Port the parser of our shop to Rust",
        "Move our shop to the new logo",
    ):
        assert len(planned(goal).tasks) == 1


def test_what_is_asked_for_beside_a_migration_is_not_migrated() -> None:
    plan = planned(
        "Migrate the notes to a PostgreSQL database and add login with passwords, sessions and user accounts"
    )

    assert not [title for title in titles(plan) if title.startswith("Migrate passwords")]
    assert before(plan, "Add login with passwords, sessions and user accounts") >= {"Migrate the code and the data"}


def test_a_request_about_the_whole_hides_no_kind_of_project() -> None:
    plan = planned("Build an invoicing SaaS with customers, invoices, payments and reminders; deploy it with Docker")

    assert {"Implement customers", "Prepare the build and the deployment"} <= set(titles(plan))
    assert "Implement customers" in before(plan, "Prepare the build and the deployment")


def test_running_tests_in_a_pipeline_is_work_on_the_pipeline() -> None:
    plan = planned("1. Add a /healthz route\n2. Write a Dockerfile\n3. Run the tests in GitHub Actions\n4. Test both")
    image, pipeline = plan.tasks[1:3]

    assert pipeline.id not in image.depends_on and image.id not in pipeline.depends_on


def test_documentation_that_is_asked_for_by_a_verb_is_a_part_too() -> None:
    plan = planned("Train a churn model on the events table, expose it as an API, and document how to retrain it")

    assert "Write the documentation" in titles(plan)


def test_what_an_app_shall_have_is_no_request_of_its_own_in_chinese() -> None:
    plan = planned("实现一个在线投票系统，包括用户注册、创建投票、统计结果")

    assert titles(plan)[0] == "Design the data model and database schema"
    assert "Build the user interface" in titles(plan)


def test_moving_from_one_database_to_another_is_a_migration() -> None:
    plan = planned("Move from MySQL to PostgreSQL: schema, data, and the application code")

    assert before(plan, "Prepare the cut-over") >= {"Take stock of what exists and pin its behaviour", "Migrate data"}
    assert "project-delivery-manager" not in {task.agent_type for task in plan.tasks}


@pytest.mark.parametrize(
    ("goal", "needs"),
    [
        ("Add a search box, add pagination, and test both.", ("part-1", "part-2")),
        ("First fix the login page, then add a logout button, and finally document both.", ("part-2",)),
    ],
)
def test_what_is_about_several_that_were_asked_for_is_a_part_of_its_own(goal: str, needs: tuple[str, ...]) -> None:
    plan = planned(goal)

    assert [task.id for task in plan.tasks][:3] == ["part-1", "part-2", "part-3"]
    assert plan.tasks[2].depends_on == needs

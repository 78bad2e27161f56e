"""Thirty goals as people type them, each with who should get it; nine of ten must go right."""

from agent_orchestrator.planning.roster import Roster
from agent_orchestrator.planning.routing import route

BACKEND, FRONTEND, PIPELINE = "backend-systems-engineer", "frontend-ui-engineer", "data-pipeline-engineer"
ANALYST, CLOUD, ML, LLM = "data-science-analyst", "aws-cloud-architect", "ml-systems-architect", "llm-architect"
DATA, SPECS, PLAN = "data-architect-governance", "specifications-engineer", "project-delivery-manager"
QA, SECURITY, DEVOPS, DOCS = "qa-test-engineer", "security-engineer", "devops-ci-engineer", "documentation-writer"

GOALS = [
    ("Add a PUT endpoint that updates a customer's address", BACKEND),
    ("Return 409 instead of 500 when an email is registered twice", BACKEND),
    ("Move sending of emails into a background worker with retries", BACKEND),
    ("Build a CLI in Rust that prints the size of each folder", BACKEND),
    ("Rate limit the public API to 100 requests a minute per key", BACKEND),
    ("Make the pricing page responsive below 400 pixels", FRONTEND),
    ("Add a dark mode switch to the navbar", FRONTEND),
    ("The modal keeps the keyboard focus after it is closed", FRONTEND),
    ("Show a skeleton while the React dashboard loads", FRONTEND),
    ("Build an Airflow DAG that loads orders into Snowflake every night", PIPELINE),
    ("Deduplicate events in the Kafka to BigQuery ingestion", PIPELINE),
    ("Backfill the ETL for March after the schema change", PIPELINE),
    ("Analyse churn by cohort and plot it in a notebook", ANALYST),
    ("Test whether the new checkout raised conversion, with confidence intervals", ANALYST),
    ("Write Terraform for a VPC with two private subnets and a NAT gateway", CLOUD),
    ("Put the static site behind CloudFront with an S3 origin", CLOUD),
    ("Serve the fraud model with feature drift monitoring", ML),
    ("Train a ranking model on click logs and track runs in MLflow", ML),
    ("Answer support questions with retrieval over our handbook and cite the passages", LLM),
    ("Cut the tokens of our prompts and add an evaluation set for the assistant", LLM),
    ("Define retention and ownership for every table that has personal data", DATA),
    ("Design the dimensional model for subscriptions and its naming rules", DATA),
    ("Write the requirements and acceptance criteria for guest checkout", SPECS),
    ("Break the migration to Python 3.13 into milestones with owners and risks", PLAN),
    ("Write integration tests for the invoice importer", QA),
    ("The end-to-end suite is flaky on Mondays: find out why and fix it", QA),
    ("Check the upload handler for path traversal and fix what you find", SECURITY),
    ("Run the tests on every pull request with GitHub Actions and cache dependencies", DEVOPS),
    ("Build a smaller Docker image and publish it on release", DEVOPS),
    ("Write a getting started guide and an upgrade page for the README", DOCS),
]


def test_nine_of_ten_goals_find_their_specialist() -> None:
    roster = Roster()
    wrong = [(text, found) for text, wanted in GOALS if (found := route(text, "", roster).specialist) != wanted]

    assert len(GOALS) == 30
    assert len(wrong) <= 3, wrong

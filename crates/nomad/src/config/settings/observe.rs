//! Metrics, the web UI and reporting.

use std::time::Duration;

use super::super::setting::section;
use super::later;

section! {
    Telemetry {
        in_memory_collection_interval: Duration = Duration::from_secs(10);
        in_memory_retention_period: Duration = Duration::from_secs(60);
        collection_interval: Duration = Duration::from_secs(1);
        disable_hostname: bool = false;
        use_node_name: bool = false;
        prometheus_metrics: bool = false;
        statsite_address: String = String::new();
        statsd_address: String = String::new();
        datadog_address: String = String::new();
        datadog_tags: Vec<String> = Vec::new();
        publish_allocation_metrics: bool = false;
        publish_node_metrics: bool = false;
        include_alloc_metadata_in_metrics: bool = false;
        allowed_metadata_keys_in_metrics: Vec<String> = Vec::new();
        prefix_filter: Vec<String> = Vec::new();
        filter_default: bool = true;
        disable_dispatched_job_summary_metrics: bool = false;
        disable_quota_utilization_metrics: bool = false;
        disable_rpc_rate_metrics_labels: bool = false;
        disable_allocation_hook_metrics: bool = false;
        circonus_api_token: String = String::new(), later later::SINK;
        circonus_api_app: String = "nomad".into(), later later::SINK;
        circonus_api_url: String = String::new(), later later::SINK;
        circonus_submission_interval: Duration = Duration::from_secs(10), later later::SINK;
        circonus_submission_url: String = String::new(), later later::SINK;
        circonus_check_id: String = String::new(), later later::SINK;
        circonus_check_force_metric_activation: bool = false, later later::SINK;
        circonus_check_instance_id: String = String::new(), later later::SINK;
        circonus_check_search_tag: String = String::new(), later later::SINK;
        circonus_check_tags: String = String::new(), later later::SINK;
        circonus_check_display_name: String = String::new(), later later::SINK;
        circonus_broker_id: String = String::new(), later later::SINK;
        circonus_broker_select_tag: String = String::new(), later later::SINK;
    }
}

section! {
    Ui {
        enabled: bool = true;
        show_cli_hints: bool = true;
        content_security_policy: ContentSecurityPolicy = ContentSecurityPolicy::default(), later later::UI;
        consul: UiLink = UiLink::default(), later later::UI;
        vault: UiLink = UiLink::default(), later later::UI;
        label: UiLabel = UiLabel::default();
    }
}

fn list<const N: usize>(items: [&str; N]) -> Vec<String> {
    items.map(String::from).to_vec()
}

section! {
    ContentSecurityPolicy {
        connect_src: Vec<String> = list(["*"]);
        default_src: Vec<String> = list(["'none'"]);
        form_action: Vec<String> = list(["'none'"]);
        frame_ancestors: Vec<String> = list(["'none'"]);
        img_src: Vec<String> = list(["'self'", "data:"]);
        script_src: Vec<String> = list(["'self'"]);
        style_src: Vec<String> = list(["'self'", "'unsafe-inline'"]);
    }
}

section! {
    UiLink {
        ui_url: String = String::new();
    }
}

section! {
    UiLabel {
        text: String = String::new();
        background_color: String = String::new();
        text_color: String = String::new();
    }
}

section! {
    Reporting {
        license: ReportingLicense = ReportingLicense::default();
        address: String = String::new();
        export_interval: Duration = Duration::ZERO;
        snapshot_retention_time: Duration = Duration::from_secs(9600 * 3600);
        disable_product_usage_reporting: bool = false;
    }
}

section! {
    ReportingLicense {
        enabled: bool = true;
    }
}

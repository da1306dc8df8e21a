"""Values: what is refused, with the name of what is wrong, and the table of them in the chart's README."""

import re

import pytest
import yaml

from chart import CHART, Refused, render

# Values, and what the refusal must say.
BAD = [
    ("kind: StatefulSet", "/kind"),
    ("replicas: two", "/replicas"),
    ("replicas: -1", "/replicas"),
    ("replica: 3", "replica"),
    ("image: {repository: ''}", "/image/repository"),
    ("image: {digest: latest}", "/image/digest"),
    ("image: {pullPolicy: Sometimes}", "/image/pullPolicy"),
    ("image: {pullSecrets: [registry]}", "/image/pullSecrets/0"),
    ("ingressClass: {name: Upper}", "/ingressClass/name"),
    ("ingressClass: {controller: steadygate}", "/ingressClass/controller"),
    ("ingressClass: {default: 'yes'}", "/ingressClass/default"),
    ("serveControllers: [nginx]", "/serveControllers/0"),
    ("status: {write: 'no'}", "/status/write"),
    ("tenancy: lax", "/tenancy"),
    ("defaultCertificate: wildcard", "/defaultCertificate"),
    ("watchNamespaces: shop", "/watchNamespaces"),
    ("watchNamespaces: [shop, shop]", "/watchNamespaces"),
    ("watchNamespaces: [Shop]", "/watchNamespaces/0"),
    ("drainTimeout: 60s", "/drainTimeout"),
    ("drainTimeout: 0", "/drainTimeout"),
    ("preStopSeconds: -1", "/preStopSeconds"),
    ("terminationGracePeriodSeconds: 0", "/terminationGracePeriodSeconds"),
    ("trustedProxies: [10.0.0.1]", "/trustedProxies/0"),
    ("trustedProxies: [10.0.0.0/33]", "/trustedProxies/0"),
    ("trustedProxies: [10.0.0.0/8]\nproxyProtocol: [0]", "/proxyProtocol/0"),
    ("proxyProtocol: [80]", "proxyProtocol needs trustedProxies"),
    ("limits: {connections: 0}", "/limits/connections"),
    ("limits: {connectionsPerAddress: many}", "/limits/connectionsPerAddress"),
    ("limits: {unansweredBytes: 32Mi}", "/limits/unansweredBytes"),
    ("h2c: 1", "/h2c"),
    ("headerTimeout: 0", "/headerTimeout"),
    ("workers: 0", "/workers"),
    ("log: {format: xml}", "/log/format"),
    ("log: {level: debug}", "level"),
    ("extraArgs: [h2c]", "/extraArgs/0"),
    ("extraEnv: [{name: POD_NAME, value: a}]", "/extraEnv/0/name"),
    ("service: {type: ExternalName}", "/service/type"),
    ("service: {annotations: {a: true}}", "/service/annotations/a"),
    ("service: {spec: {ports: []}}", "/service/spec"),
    ("service: {spec: {ipFamilyPolicy: Both}}", "/service/spec/ipFamilyPolicy"),
    ("service: {extraPorts: [{name: admin, port: 8443}]}", "/service/extraPorts/0/name"),
    ("service: {externalTrafficPolicy: local}", "/service/externalTrafficPolicy"),
    ("service: {http: {port: 0}}", "/service/http/port"),
    ("service: {https: {nodePort: 70000}}", "/service/https/nodePort"),
    ("service: {extraPorts: [{name: alt}]}", "/service/extraPorts/0"),
    ("service: {extraPorts: [{name: much-too-long-a-name, port: 1}]}", "/service/extraPorts/0/name"),
    ("publishAddresses: 192.0.2.1", "/publishAddresses"),
    ("autoscaling: {minReplicas: 0}", "/autoscaling/minReplicas"),
    ("autoscaling: {targetCPUUtilizationPercentage: 1001}", "/autoscaling/targetCPUUtilizationPercentage"),
    ("podDisruptionBudget: {maxUnavailable: 0}", "/podDisruptionBudget/maxUnavailable"),
    ("metrics: {serviceMonitor: {interval: often}}", "/metrics/serviceMonitor/interval"),
    ("networkPolicy: {adminFrom: [monitoring]}", "/networkPolicy/adminFrom/0"),
    ("podLabels: {a: 1}", "/podLabels/a"),
    ("podLabels: {app.kubernetes.io/name: a}", "/podLabels/app.kubernetes.io~1name"),
    ("labels: {helm.sh/chart: a}", "/labels/helm.sh~1chart"),
    ("tolerations: {}", "/tolerations"),
    # Each is well for itself; together they are not.
    ("{drainTimeout: 60, preStopSeconds: 10, terminationGracePeriodSeconds: 69}", "terminationGracePeriodSeconds is 69"),
    ("{terminationGracePeriodSeconds: 79}", "and 10 to spare need 80"),
    ("metrics: {serviceMonitor: {enabled: true}}", "metrics.serviceMonitor.enabled needs metrics.enabled"),
    ("{kind: DaemonSet, autoscaling: {enabled: true}}", "autoscaling.enabled needs kind: Deployment"),
    ("autoscaling: {enabled: true, minReplicas: 11}", "autoscaling.maxReplicas"),
    ("{hostPort: {enabled: true}, hostNetwork: {enabled: true}}", "exclude each other"),
    ("{hostNetwork: {enabled: true}, networkPolicy: {enabled: true}}", "networkPolicy.enabled does nothing"),
    ("{hostNetwork: {enabled: true, portOffset: 65000}, service: {extraPorts: [{name: a, port: 600}]}}", "which is no port"),
    ("service: {type: ClusterIP, externalTrafficPolicy: Local}", "service.externalTrafficPolicy is for"),
    ("service: {type: ClusterIP, http: {nodePort: 30080}}", "a nodePort (30080) needs"),
    ("serviceAccount: {create: false}", "serviceAccount.name must name one"),
    ("service: {http: {enabled: false}, https: {enabled: false}}", "service.http, service.https and service.extraPorts"),
    ("service: {extraPorts: [{name: alt, port: 9180}]}", "need port 9180"),
    ("service: {extraPorts: [{name: alt, port: 443}]}", "need port 443"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "says"), BAD)
def test_refused(values, says):
    with pytest.raises(Refused) as refusal:
        render(values)
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    "values",
    [
        "terminationGracePeriodSeconds: 80",
        "{preStopSeconds: 0, drainTimeout: 3600}",
        "replicas: 0",
        "podDisruptionBudget: {maxUnavailable: 50%}",
        "service: {http: {enabled: false}}",
        "global: {anything: goes}",
    ],
)
def test_not_refused(values):
    render(values)


def leaves(values, path=()):
    """Each value that is no map of others, by its path."""
    if isinstance(values, dict) and values:
        return {key: leaf for name, value in values.items() for key, leaf in leaves(value, (*path, name)).items()}
    return {".".join(path): values}


ROW = re.compile(r"^\| `([\w.]+)` \| `(.*?)` \| (.*)\|$")


def test_the_readme_has_every_value_with_its_default():
    lines = (CHART / "README.md").read_text().splitlines()
    start = lines.index("| value | default | meaning |") + 2
    rows = {}
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        row = ROW.match(line)
        assert row, line
        assert row[1] not in rows, row[1]
        rows[row[1]] = yaml.safe_load(row[2])
    assert rows == leaves(yaml.safe_load((CHART / "values.yaml").read_text()))

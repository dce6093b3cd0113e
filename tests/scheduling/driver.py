import json, os, ssl, time, urllib.request

account = "/var/run/secrets/kubernetes.io/serviceaccount/"
lines = [line.rstrip("\n").replace("\\:", ":") for line in open("/opt/spark/conf/spark.properties")]
conf = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
pods = "https://kubernetes.default.svc/api/v1/namespaces/%s/pods" % conf["spark.kubernetes.namespace"]
trusted = ssl.create_default_context(cafile=account + "ca.crt")


def ask(method, path, body=None):
    request = urllib.request.Request(pods + path, method=method, data=body and json.dumps(body).encode())
    request.add_header("Authorization", "Bearer " + open(account + "token").read())
    request.add_header("Content-Type", "application/json")
    return json.load(urllib.request.urlopen(request, context=trusted))


prefix = "spark.kubernetes.executor.annotation."
name = conf["spark.kubernetes.executor.podNamePrefix"] + "-exec-1"
ask("POST", "", {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": name,
        "labels": {"spark-role": "executor", "spark-app-selector": conf["spark.app.id"]},
        "annotations": {key[len(prefix):]: value for key, value in conf.items() if key.startswith(prefix)},
    },
    "spec": {
        "schedulerName": conf.get("spark.kubernetes.executor.scheduler.name", "default-scheduler"),
        "restartPolicy": "Never",
        "containers": [{
            "name": "spark-kubernetes-executor",
            "image": os.environ["EXECUTOR_IMAGE"],
            "command": ["true"],
            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {os.environ["SLOT"]: "1"}},
        }],
    },
})
while ask("GET", "/" + name)["status"].get("phase") != "Succeeded":
    time.sleep(0.3)
ask("DELETE", "/" + name)

"""The cluster's HTTPS API as the lab uses it: an admin's kubeconfig, JSON documents, no dependencies.

Only what bringing up a lab and its example needs: read a document, create what a manifest holds, read a Table to show it.
Whatever fails to connect, times out or is answered with an error raises LabFault with the server's own message.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import tempfile
import urllib.parse
from pathlib import Path
from typing import Any

import msgspec
import yaml

from lab.contract import LabFault

TIMEOUT_S = 10.0
MAX_BODY = 64 << 20
Document = dict[str, Any]


class Answer(msgspec.Struct, frozen=True):
    code: int
    document: Document


def _pem(entry: Document, name: str) -> str:
    if f"{name}-data" in entry:
        return base64.b64decode(entry[f"{name}-data"]).decode()
    return Path(entry[name]).read_text()


class Api:
    """One connection per request: a lab asks seldom, and the master may have been restarted in between."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        contexts = {entry["name"]: entry["context"] for entry in config["contexts"]}
        context = contexts[config["current-context"]]
        cluster = next(entry["cluster"] for entry in config["clusters"] if entry["name"] == context["cluster"])
        user = next(entry["user"] for entry in config["users"] if entry["name"] == context["user"])
        server = urllib.parse.urlsplit(cluster["server"])
        self._host, self._port = server.hostname or "", server.port or 443
        self._tls = ssl.create_default_context(cadata=_pem(cluster, "certificate-authority"))
        with tempfile.TemporaryDirectory(prefix="steersman-lab-") as folder:  # load_cert_chain takes files only
            pair = Path(folder) / "admin.pem"
            descriptor = os.open(pair, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(_pem(user, "client-certificate") + "\n" + _pem(user, "client-key"))
            self._tls.load_cert_chain(pair)

    def request(self, method: str, path: str, body: Document | None = None, *, accept: str = "application/json") -> Answer:
        """Any code is an answer. Raises LabFault when there is none."""
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT_S, context=self._tls)
        try:
            headers = {"Accept": accept, "User-Agent": "steersman-lab"}
            if body is not None:
                headers["Content-Type"] = "application/json"
            connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
            response = connection.getresponse()
            text = response.read(MAX_BODY)
        except (OSError, http.client.HTTPException) as error:
            raise LabFault(f"the master at {self._host}:{self._port} does not answer: {error}") from error
        finally:
            connection.close()
        try:
            document = json.loads(text)
        except ValueError:
            document = {"message": text.decode(errors="replace")}
        return Answer(response.status, document if isinstance(document, dict) else {"message": str(document)})

    def ready(self) -> bool:
        try:
            return self.request("GET", "/readyz").code == 200
        except LabFault:
            return False

    def get(self, path: str, *, accept: str = "application/json") -> Document:
        answer = self.request("GET", path, accept=accept)
        if answer.code != 200:
            raise LabFault(f"GET {path}: {answer.document.get('message', answer.code)}")
        return answer.document

    def _collection(self, document: Document) -> str:
        group_version = document["apiVersion"]
        root = f"/api/{group_version}" if "/" not in group_version else f"/apis/{group_version}"
        for resource in self.get(root)["resources"]:
            if resource["kind"] == document["kind"] and "/" not in resource["name"]:
                if resource["namespaced"]:
                    namespace = document["metadata"].get("namespace", "default")
                    return f"{root}/namespaces/{namespace}/{resource['name']}"
                return f"{root}/{resource['name']}"
        raise LabFault(f"the master does not serve {document['kind']} in {group_version}")

    def create_missing(self, manifest: Path) -> list[str]:
        """Create each document of a manifest that is not there yet; returns `kind/name` of those that were made."""
        made = []
        for document in yaml.safe_load_all(manifest.read_text()):
            if not document:
                continue
            name = f"{document['kind'].lower()}/{document['metadata']['name']}"
            answer = self.request("POST", self._collection(document), document)
            if answer.code in (200, 201):
                made.append(name)
            elif answer.code != 409:
                raise LabFault(f"{manifest.name}: {name}: {answer.document.get('message', answer.code)}")
        return made

    def table(self, path: str) -> tuple[list[str], list[list[str]]]:
        """A list as kubectl would print it: headers and rows, wide columns included."""
        table = self.get(path, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
        headers = [column["name"].upper() for column in table["columnDefinitions"]]
        return headers, [[str(cell) for cell in row["cells"]] for row in table.get("rows") or []]

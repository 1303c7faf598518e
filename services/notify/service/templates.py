"""The texts that people are written by, as managers see and change them."""

from typing import Any

from livinglab.notify.v1 import template_service_pb2 as pb
from livinglab.notify.v1 import template_service_pb2_grpc

from chassis import mongo
from chassis.errors import Violation, invalid, not_found
from services.notify.model import pages
from services.notify.store.templates import TemplateStore
from services.notify.texts import Fault, Texts
from services.notify.writing.editions import Editions


class TemplateService(template_service_pb2_grpc.TemplateServiceServicer):
    """The contract, on the shipped texts and what was changed of them."""

    def __init__(self, store: TemplateStore, texts: Texts, editions: Editions) -> None:
        self._store = store
        self._texts = texts
        self._editions = editions

    async def ListTemplates(self, request: pb.ListTemplatesRequest, context: Any) -> pb.ListTemplatesResponse:
        changed = {(one.name, one.language): one for one in await self._store.current()}
        found = []
        for name in self._texts.names:
            for language in ("id", "en"):
                one = changed.get((name, language), pb.Template(name=name, language=language))
                one.ClearField("source")
                found.append(self._with_values(one))
        return pb.ListTemplatesResponse(templates=found)

    async def GetTemplate(self, request: pb.GetTemplateRequest, context: Any) -> pb.GetTemplateResponse:
        self._require(request.name)
        if request.version:
            found = await self._store.get(request.name, request.language, request.version)
        else:
            changed = {(one.name, one.language): one for one in await self._store.current()}
            source = self._texts.shipped(request.name, request.language)
            shipped = pb.Template(name=request.name, language=request.language, source=source)
            found = changed.get((request.name, request.language), shipped)
        if found is None:
            raise not_found("template", f"{request.name}.{request.language} version {request.version}")
        return pb.GetTemplateResponse(template=self._with_values(found))

    async def SaveTemplate(self, request: pb.SaveTemplateRequest, context: Any) -> pb.SaveTemplateResponse:
        self._require(request.name)
        self._check(request.name, request.language, request.source)

        async def decide(tx: mongo.Tx) -> pb.SaveTemplateResponse:
            saved = await self._store.save(tx, request.name, request.language, request.source, request.version)
            return pb.SaveTemplateResponse(template=self._with_values(saved))

        answer = await self._store.db.once(request, decide, pb.SaveTemplateResponse)
        await self._editions.refresh()
        return answer

    async def PreviewTemplate(self, request: pb.PreviewTemplateRequest, context: Any) -> pb.PreviewTemplateResponse:
        self._require(request.name)
        if request.source:
            self._check(request.name, request.language, request.source)
        found = await self._store.written(request.name, request.message_id)
        if found is None:
            raise not_found("letter", request.message_id or f"by {request.name}")
        message_id, values = found
        await self._editions.refresh()
        text = self._texts.preview(request.name, request.language, request.source, values)
        page = pages.page(text.subject, text.body, request.language)
        return pb.PreviewTemplateResponse(subject=text.subject, body=text.body, html=page, message_id=message_id)

    def _require(self, name: str) -> None:
        if name not in self._texts.names:
            raise not_found("template", name)

    def _check(self, name: str, language: str, source: str) -> None:
        try:
            self._texts.check(name, language, source)
        except Fault as fault:
            raise invalid([Violation("source", str(fault))]) from fault

    def _with_values(self, template: pb.Template) -> pb.Template:
        template.values.extend(sorted(self._texts.values(template.name)))
        return template

"""Bot API methods that answer what a person asked by a button or by typing in inline mode."""

from __future__ import annotations

from typing import Any

from town.telegram.contents import caption_in, text_fields
from town.telegram.errors import bad
from town.telegram.keyboards import inline_keyboard, valid_url
from town.telegram.params import Params, method
from town.telegram.sending import photo_content
from town.telegram.service import Answer, Telegram

Json = dict[str, Any]

TOO_OLD = "query is too old and response timeout expired or query ID is invalid"
TOAST_LIMIT = 200
MOST_RESULTS = 50
CACHED_ANSWERS = 1000


def _asked(bot: Telegram, kept: dict[str, Answer], query_id: str | None, life_s: float) -> Answer:
    found = kept.get(query_id or "")
    if found is None or bot.core.clock.now().timestamp() - found.asked_at > life_s:
        raise bad(TOO_OLD)
    return found


@method("answerCallbackQuery", "callback_query_id text show_alert url cache_time")
def answer_callback_query(bot: Telegram, params: Params) -> bool:
    asked = _asked(bot, bot.callbacks, params.text("callback_query_id"), bot.callback_life_s)
    text = params.words("text")
    if len(text) > TOAST_LIMIT:
        raise bad("MESSAGE_TOO_LONG")
    url = params.words("url")
    if url and not valid_url(url):
        raise bad("URL_INVALID")
    if not asked.done.done():
        asked.done.set_result({"text": text, "alert": params.flag("show_alert"), "url": url})
        if text:
            alert = params.flag("show_alert")
            bot.core.journal.add("telegram.toast", chat=asked.person_id, users=[asked.person_id], text=text, alert=alert)
    return True


def result_content(bot: Telegram, result: Json) -> Json:
    """What an inline result becomes when it is sent: content of a `Message`."""
    content = _result_body(bot, result)
    inline = inline_keyboard(result.get("reply_markup"))
    if inline:
        content["reply_markup"] = inline
    return content


def _result_body(bot: Telegram, result: Json) -> Json:
    kind = result.get("type")
    words = result.get("input_message_content")
    if words is not None:
        if not isinstance(words, dict) or not isinstance(words.get("message_text"), str):
            raise bad("can't parse inline query result: only InputTextMessageContent is known in this town")
        return text_fields(words["message_text"], words.get("parse_mode"), words.get("entities"))
    if kind == "article":
        raise bad('can\'t parse inline query result: Field "input_message_content" is missing')
    if kind == "photo" and result.get("photo_file_id"):
        return {**photo_content(bot.files.by_id(str(result["photo_file_id"]))), **caption_in(result)}
    if kind == "photo":
        if not valid_url(result.get("photo_url"), ("http", "https")) or not valid_url(result.get("thumbnail_url"), ("http", "https")):
            raise bad("can't parse inline query result: photo_url and thumbnail_url must be HTTP addresses")
        return {"photo_url": result["photo_url"], **caption_in(result)}
    if kind == "document" and result.get("document_file_id"):
        return {"document": bot.files.by_id(str(result["document_file_id"])).document_shape(), **caption_in(result)}
    raise bad(f"can't parse inline query result: type {kind} is not known in this town")


def _check_results(bot: Telegram, results: list[Any]) -> list[Json]:
    if len(results) > MOST_RESULTS:
        raise bad("RESULTS_TOO_MUCH")
    seen: set[str] = set()
    for result in results:
        if not isinstance(result, dict):
            raise bad("can't parse inline query result: expected an Object")
        result_id = str(result.get("id") or "")
        if not 1 <= len(result_id.encode()) <= 64:
            raise bad("RESULT_ID_INVALID")
        if result_id in seen:
            raise bad("RESULT_ID_DUPLICATE")
        seen.add(result_id)
        if result.get("type") == "article" and not result.get("title"):
            raise bad("ARTICLE_TITLE_EMPTY")
        result_content(bot, result)
    return results


@method("answerInlineQuery", "inline_query_id results cache_time is_personal next_offset button")
def answer_inline_query(bot: Telegram, params: Params) -> bool:
    asked = _asked(bot, bot.inline_queries, params.text("inline_query_id"), bot.inline_life_s)
    results = _check_results(bot, params.rows("results") or [])
    next_offset = params.words("next_offset")
    if len(next_offset.encode()) > 64:
        raise bad("NEXT_OFFSET_INVALID")
    button = params.table("button")
    if button and not (button.get("text") and (button.get("web_app") or 1 <= len(str(button.get("start_parameter") or "")) <= 64)):
        raise bad("BUTTON_INVALID")
    answer: Json = {"results": results, "next_offset": next_offset, "button": button}
    cache_s = params.integer("cache_time")
    key = (asked.query, asked.offset, asked.person_id if params.flag("is_personal") else 0)
    bot.inline_cache[key] = (bot.core.clock.now().timestamp() + (300 if cache_s is None else cache_s), answer)
    while len(bot.inline_cache) > CACHED_ANSWERS:
        del bot.inline_cache[next(iter(bot.inline_cache))]
    if not asked.done.done():
        asked.done.set_result(answer)
    return True

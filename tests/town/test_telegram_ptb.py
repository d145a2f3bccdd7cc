"""python-telegram-bot, unmodified, against the town: by polling and by webhook."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
import telegram.error
from telegram import (
    BotCommand,
    BotCommandScopeAllPrivateChats,
    CopyTextButton,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQueryResultArticle,
    InputMediaPhoto,
    InputTextMessageContent,
    KeyboardButton,
    MenuButtonWebApp,
    ReplyKeyboardMarkup,
    Update,
    WebAppInfo,
)  # fmt: skip
from telegram.ext import (
    Application,
    ApplicationBuilder,
    CallbackQueryHandler,
    CommandHandler,
    ContextTypes,
    InlineQueryHandler,
    MessageHandler,
    filters,
)  # fmt: skip

from tests.town.telegram_sides import Hook, Sides, picture, running_town

AnyApplication = Application[Any, Any, Any, Any, Any, Any]
Context = ContextTypes.DEFAULT_TYPE


@pytest_asyncio.fixture
async def t() -> AsyncIterator[Sides]:
    async with running_town() as sides:
        yield sides


def builder(t: Sides) -> ApplicationBuilder[Any, Any, Any, Any, Any, Any]:
    base = f"{t.root}/town/telegram"
    town = ApplicationBuilder().token(t.town.telegram.bot_token).base_url(f"{base}/bot").base_file_url(f"{base}/file/bot")
    return town.job_queue(None)


async def on_start(update: Update, context: Context) -> None:
    assert update.message is not None
    keys = InlineKeyboardMarkup(
        [
            [InlineKeyboardButton("Pay", callback_data="pay:1"), InlineKeyboardButton("Copy", copy_text=CopyTextButton("PL-1"))],
        ]
    )
    await update.message.reply_html(f"Hello <b>{update.effective_user and update.effective_user.first_name}</b>", reply_markup=keys)


async def on_tap(update: Update, context: Context) -> None:
    assert update.callback_query is not None
    await update.callback_query.answer("Paid", show_alert=False)
    await update.callback_query.edit_message_text("Done 👍")


async def on_photo(update: Update, context: Context) -> None:
    assert update.message is not None
    file = await update.message.photo[-1].get_file()
    content = bytes(await file.download_as_bytearray())
    await update.message.reply_photo(content, caption=f"{len(content)} bytes: {update.message.caption}")


async def on_inline(update: Update, context: Context) -> None:
    assert update.inline_query is not None
    words = InputTextMessageContent("card")
    await update.inline_query.answer([InlineQueryResultArticle("1", update.inline_query.query, words)], is_personal=True, cache_time=0)


def with_handlers(application: AnyApplication) -> AnyApplication:
    application.add_handler(CommandHandler("start", on_start))
    application.add_handler(CallbackQueryHandler(on_tap))
    application.add_handler(MessageHandler(filters.PHOTO, on_photo))
    application.add_handler(InlineQueryHandler(on_inline))
    return application


async def walk_through(t: Sides) -> None:
    """What a person does with the bot above, and sees."""
    started = (await t.act(1001, "start"))["message_id"]
    hello = (await t.look(1001, "messages", after=started, wait_s=5))[-1]
    assert (hello["from"], hello["html"]) == ("bot", "Hello <b>User 1001</b>")
    answer = await t.act(1001, "tap", message_id=hello["message_id"], button="Pay")
    assert answer["toast"] == "Paid"
    async with asyncio.timeout(5):
        while not (shown := (await t.look(1001, "messages"))[-1])["edited"]:
            await t.town.core.journal.wait(1)
    assert (shown["text"], shown["buttons"]) == ("Done 👍", [])
    sent = (await t.act(1001, "photo", sample="sneakers", caption="Red"))["message_id"]
    back = (await t.look(1001, "messages", after=sent, wait_s=5))[-1]
    assert back["text"].endswith("bytes: Red")
    assert back["photo"]
    assert (await t.act(1001, "inline", query="PL-1"))["results"][0]["title"] == "PL-1"


async def test_ptb_polls_the_town(t: Sides) -> None:
    application = with_handlers(builder(t).build())
    async with application:
        assert application.updater is not None
        await application.updater.start_polling(poll_interval=0, timeout=2)
        await application.start()
        await walk_through(t)
        await application.updater.stop()
        await application.stop()


async def test_ptb_is_fed_by_the_webhook_of_the_town(t: Sides) -> None:
    application = with_handlers(builder(t).updater(None).build())
    hook = Hook()
    await hook.server.start_server()
    async with application:
        await application.start()
        assert await application.bot.set_webhook(str(hook.server.make_url("/hook")), secret_token="abc")

        async def feed() -> None:
            while True:
                while hook.got:
                    await application.process_update(Update.de_json(hook.got.pop(0), application.bot))
                await asyncio.sleep(0.005)

        feeding = asyncio.ensure_future(feed())
        await walk_through(t)
        assert (await application.bot.get_webhook_info()).pending_update_count == 0
        feeding.cancel()
        await application.stop()
    await hook.server.close()
    assert set(hook.secrets) == {"abc"}


async def test_every_method_of_ptb_the_product_may_use_is_understood(t: Sides) -> None:
    await t.act(1, "start")
    await t.act(2, "start")
    async with builder(t).updater(None).build() as application:
        bot = application.bot
        assert (await bot.get_me()).username == "payloom_bot"
        keyboard = ReplyKeyboardMarkup([[KeyboardButton("Share", request_contact=True)]], resize_keyboard=True)
        first = await bot.send_message(1, "phone?", reply_markup=keyboard)
        assert await bot.send_chat_action(1, "typing")
        album = await bot.send_media_group(1, [InputMediaPhoto(picture(), caption="one"), InputMediaPhoto(picture())])
        assert [one.media_group_id for one in album] == [album[0].media_group_id] * 2
        photo = await bot.send_photo(1, picture(), caption="cap")
        await bot.edit_message_caption(1, photo.message_id, caption="*new*", parse_mode="MarkdownV2")
        edited = await bot.edit_message_media(InputMediaPhoto(picture(80, 80), caption="m"), 1, photo.message_id)
        assert not isinstance(edited, bool)
        assert edited.photo[-1].width == 80
        await bot.send_document(1, io.BytesIO(b"a,b"), filename="book.csv")
        await bot.send_location(1, -1.2, 36.8)
        await bot.send_contact(1, "+254700000001", "Amina")
        assert (await bot.forward_message(2, 1, first.message_id)).forward_origin is not None
        assert (await bot.copy_message(2, 1, first.message_id)).message_id
        assert await bot.set_message_reaction(1, first.message_id, "👍")
        assert await bot.delete_message(1, first.message_id)
        assert await bot.delete_messages(1, [photo.message_id])
        assert await bot.set_my_commands([BotCommand("sell", "Sell")], BotCommandScopeAllPrivateChats(), "sw")
        assert (await bot.get_my_commands(BotCommandScopeAllPrivateChats(), "sw"))[0].command == "sell"
        assert await bot.delete_my_commands(BotCommandScopeAllPrivateChats(), "sw")
        assert await bot.set_my_name("PayLoom")
        assert (await bot.get_my_name()).name == "PayLoom"
        assert await bot.set_my_description("d")
        assert await bot.set_my_short_description("s")
        assert await bot.set_chat_menu_button(1, MenuButtonWebApp("Open", WebAppInfo("http://localhost/app")))
        assert (await bot.get_chat_menu_button(1)).type == "web_app"
        assert (await bot.get_chat(1)).first_name == "User 1"
        assert (await bot.get_chat_member(1, 1)).status == "member"
        assert (await bot.get_user_profile_photos(1)).total_count == 0
        assert await bot.delete_webhook()


async def test_refusals_become_the_errors_of_ptb(t: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")
    await t.act(1, "start")
    async with builder(t).updater(None).build() as application:
        bot = application.bot
        with pytest.raises(telegram.error.BadRequest, match="Chat not found"):
            await bot.send_message(99, "x")
        with pytest.raises(telegram.error.BadRequest, match=r"(?i)can.t parse entities"):
            await bot.send_message(1, "<b>", parse_mode="HTML")
        await t.act(1, "block")
        with pytest.raises(telegram.error.Forbidden, match="blocked by the user"):
            await bot.send_message(1, "x")
        await t.act(1, "unblock")
        async with t.http.post(f"{t.root}/town/api/faults", json={"provider": "telegram", "fault": "429", "retry_after": 3}):
            pass
        with pytest.raises(telegram.error.RetryAfter) as limited:
            await bot.send_message(1, "x")
        assert limited.value.retry_after == timedelta(seconds=3)
        async with t.http.post(f"{t.root}/town/api/faults", json={"provider": "telegram", "fault": "drop"}):
            pass
        with pytest.raises(telegram.error.NetworkError):
            await bot.send_message(1, "arrived all the same")
    assert (await t.look(1, "messages"))[-1]["text"] == "arrived all the same"

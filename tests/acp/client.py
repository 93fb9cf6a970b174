"""An ACP client on the protocol's own Python library, steered by lines of JSON.

    client.py stdio PROGRAM ARGUMENT…
    client.py socket URL            (its token is in $MOORLINE_TOKEN)

Standard input has one command a line: {"call": METHOD, …parameters}, for a method of the library's
connection, or {"decide": OPTION}, which answers the oldest question. Standard output gets one line
for each thing that happens: {"answer": …} or {"error": …} after a call, {"update": …} and
{"question": …}. The library checks every message against the protocol's schema, and what does not
fit ends this program.
"""

import asyncio
import json
import os
import sys

import acp
from acp.schema import AllowedOutcome, ClientCapabilities, RequestPermissionResponse
from acp.ws.client import create_websocket_stream

# Lines of histories are longer than what asyncio reads by default.
LIMIT = 64 * 1024 * 1024


def tell(kind, value):
    print(json.dumps({kind: value}), flush=True)


def plain(model):
    return None if model is None else model.model_dump(mode="json", by_alias=True, exclude_none=True)


class Client(acp.Client):
    def __init__(self):
        self.questions = []

    async def session_update(self, session_id, update, **meta):
        tell("update", {"sessionId": session_id, "update": plain(update), "_meta": meta})

    async def request_permission(self, session_id, tool_call, options, **meta):
        answer = asyncio.get_running_loop().create_future()
        self.questions.append(answer)
        options = [plain(option) for option in options]
        tell("question", {"toolCall": plain(tool_call), "options": options, "_meta": meta})
        outcome = AllowedOutcome(outcome="selected", option_id=await answer)
        return RequestPermissionResponse(outcome=outcome)


async def call(connection, name, arguments):
    if name == "initialize":
        arguments = {"client_capabilities": ClientCapabilities(), **arguments}
    elif name == "prompt":
        arguments["prompt"] = [acp.text_block(arguments.pop("text"))]
    try:
        tell("answer", plain(await getattr(connection, name)(**arguments)))
    except acp.RequestError as error:
        tell("error", {"code": error.code, "message": str(error), "data": error.data})


async def steer(connection, client):
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    calls = set()
    while line := await commands.readline():
        command = json.loads(line)
        if "decide" in command:
            client.questions.pop(0).set_result(command["decide"])
            continue
        running = asyncio.create_task(call(connection, command.pop("call"), command))
        # A prompt is answered at the end of its turn; other commands come meanwhile.
        calls.add(running)
        running.add_done_callback(calls.discard)


async def main():
    kind, address, *arguments = sys.argv[1:]
    client = Client()
    if kind == "stdio":
        started = acp.spawn_agent_process(
            client, address, *arguments, env=dict(os.environ), transport_kwargs={"limit": LIMIT}
        )
        async with started as (connection, _process):
            await steer(connection, client)
    else:
        headers = {"Authorization": f"Bearer {os.environ['MOORLINE_TOKEN']}"}
        stream = await create_websocket_stream(address, headers=headers)
        await steer(acp.connect_to_agent(client, stream), client)


asyncio.run(main())

// The component of the older API's documents, as a page with React runs it in its strict mode, in plain
// JavaScript: effects run, are cleaned up at once, and run again. Beyond the documents, it names a token
// as a subprotocol, and connects again.
(() => {
    const state = { shown: "", opened: 0, closed: 0, failed: 0, unmount: null, socket: null };
    const terminal = () => ({ write: text => { state.shown += text; }, dispose() { this.write = () => {}; } });

    // useEffect(() => { …; return () => { … }; }, [sessionId]), as the documents have it.
    const effect = (session, first) => {
        const term = terminal();
        const scheme = location.protocol === "https:" ? "wss" : "ws";
        const address = `${scheme}://${location.host}/api/terminal/ws/${session}`;
        let socket, again, isOver = false;
        const connect = () => {
            socket = new WebSocket(address, ["terminal", `moorline.bearer.${state.token}`]);
            state.socket = socket;
            socket.onopen = () => {
                state.opened += 1;
                if (first) socket.send(first);
                first = "";
            };
            socket.onmessage = event => {
                if (typeof event.data !== "string") state.failed += 1;
                term.write(event.data);
            };
            socket.onclose = () => {
                state.closed += 1;
                if (!isOver) again = setTimeout(connect, 200);
            };
        };
        connect();
        return () => {
            isOver = true;
            clearTimeout(again);
            term.dispose();
            socket.close();
        };
    };

    state.mount = (session, first = "") => {
        effect(session, first)();
        state.unmount = effect(session, first);
        return true;
    };
    state.send = text => {
        if (state.socket?.readyState !== WebSocket.OPEN) return false;
        state.socket.send(text);
        return true;
    };
    window.component = state;
    return true;
})()

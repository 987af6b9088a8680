"""Lets cloud-init itself read user data, write /etc/ssh and start nothing: the merged configuration comes out as JSON."""
import json
import logging
import os
import sys
import tempfile
from unittest import mock

sys.path[:0] = [sys.argv[1]]
from cloudinit import handlers, helpers, user_data, util  # noqa: E402
from cloudinit.config import cc_ssh  # noqa: E402
from cloudinit.handlers.cloud_config import CloudConfigPartHandler  # noqa: E402
from cloudinit.settings import PER_INSTANCE  # noqa: E402

folder = tempfile.mkdtemp()
paths = helpers.Paths({"cloud_dir": folder, "run_dir": folder})
message = user_data.UserDataProcessor(paths).process(sys.stdin.buffer.read())
handler = CloudConfigPartHandler(paths)
handler.cloud_fn = os.path.join(folder, "merged")
others = []
handler.handle_part(None, "__begin__", None, None, None, None)
for part in message.walk():
    if part.get_content_maintype() == "multipart":
        continue
    kind = part.get_content_type()
    payload = util.fully_decoded_payload(part)
    if kind in handler.list_types():
        handler.handle_part(None, kind, part.get_filename("part"), payload, PER_INSTANCE, dict(part))
    else:
        text = payload.decode() if isinstance(payload, bytes) else payload
        others.append([kind, text])
handler.handle_part(None, "__end__", None, None, None, None)
config = util.load_yaml(util.load_file(handler.cloud_fn), default={})
shown = json.dumps(config)

cloud = mock.MagicMock()
cloud.get_public_ssh_keys.return_value = []
cc_ssh.handle("ssh", config, cloud, logging.getLogger(), [])
json.dump({"config": json.loads(shown), "others": others, "hostKeys": sorted(os.listdir("/etc/ssh"))}, sys.stdout)

"""Image and video services that no preset or sample of this project is a copy of."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from tests.acceptance.unseen import ANY, IMAGE, VIDEO, Case, Step, Want, call, case, said, sse, step

KEY = "k+/1"


def b64(text: str) -> str:
    return b64encode(text.encode()).decode()


def file(text: str, kind: str = "image/png") -> Any:
    return said(text.encode(), 200, kind)


def image(ask: Any, *calls: Any, want: Any) -> Step:
    """Asked for base64, so that the bytes come along whatever the worker gives."""
    return step({"prompt": "a cat", "response_format": "b64_json", **ask}, *calls, want=want if isinstance(want, Want) else Want(want), route=IMAGE)


def video(ask: Any, *calls: Any, want: Any) -> Step:
    return step({"prompt": "a cat", **ask}, *calls, want=want if isinstance(want, Want) else Want(want), route=VIDEO)


IMG: dict[str, Any] = {"task": "image", "req_url_template": "http://W/gen", "body": {"prompt": "{USER_PROMPT}"}}
VID: dict[str, Any] = {**IMG, "task": "video"}
JOB: dict[str, Any] = {"id_extract": "id", "req_url_template": "http://W/jobs/{JOB_ID}", "interval_s": 0.05}
GEN = call("POST /gen", {"prompt": "a cat"}, {"id": "j"})

MEDIA: list[Case] = [
    case(
        "openai-images",
        {**IMG, "body": {"model": "{MODEL_NAME}", "prompt": "{USER_PROMPT}", "n": "{N}", "size": "{SIZE}", "quality": "{QUALITY}"}, "response_extract": "data[*].b64_json", "output": {"type": "image", "as": "b64"}},
        image({"n": 2, "size": "64x32", "quality": "hd"}, call("POST /gen", {"model": "openai-images", "prompt": "a cat", "n": 2, "size": "64x32", "quality": "hd"}, {"data": [{"b64_json": b64("one")}, {"b64_json": "data:image/webp;base64," + b64("two")}]}), want=["one", "two"]),
        image({}, call("POST /gen", ANY, said({"error": {"message": "rejected by the safety system", "code": "moderation_blocked"}}, 400)), want=Want("rejected by the safety system", status=400)),
        image({}, call("POST /gen", ANY, {"data": [{"b64_json": "no base64!"}]}), want=Want("no base64", status=502)),
    ),
    case(
        "a1111",
        {**IMG, "header": {"Authorization": "Basic ${env:UNSEEN_KEY}"}, "body": {"prompt": "{USER_PROMPT}", "negative_prompt": "{NEGATIVE_PROMPT:}", "width": "{WIDTH:512}", "height": "{HEIGHT:512}", "steps": "{STEPS:20}", "seed": "{SEED:-1}"}, "limits": {"concurrency": 1, "STEPS": {"max": 30}}, "response_extract": "images", "output": {"as": "b64"}, "error_extract": "detail|error"},
        image({"n": 2, "size": "640x480", "steps": 99}, *(call("POST /gen", {"prompt": "a cat", "negative_prompt": "", "width": 640, "height": 480, "steps": 30, "seed": -1}, {"images": [b64("x")], "info": "{}"}, authorization="Basic k+/1") for _ in range(2)), want=["x", "x"]),
        image({}, call("POST /gen", ANY, said({"error": "HTTPException", "detail": "Sampler not found", "body": "", "errors": ""}, 404)), want=Want("Sampler not found", status=404)),
    ),
    case(
        "url-in-text",
        {**IMG, "body": {"prompt": "{USER_PROMPT}", "name": "{REQUEST_ID}"}, "response_extract": "msg", "output": {"type": "image", "as": "url", "regex": "(?i)url= *(\\S+)"}, "error": {"success": False}, "retry_when": {"msg": {"match": "existed"}}},
        image({"response_format": "url"}, call("POST /gen", ANY, {"success": True, "msg": "downloadUrl= http://W/1/a.png ok"}), want=["http://W/1/a.png"]),
        image({}, call("POST /gen", ANY, {"success": True, "msg": "downloadUrl= http://W/1/a.png"}), call("GET /1/a.png", None, file("png"), authorization=None), want=["png"]),
        image({}, call("POST /gen", ANY, {"success": False, "msg": "folder was existed!"}), want=Want("folder was existed!", status=502)),
        image({}, call("POST /gen", ANY, {"success": True, "msg": "done"}), want=Want("no answer at 'msg'", status=502)),
    ),
    case(
        "objects",
        {**IMG, "response_extract": "data", "output": {"as": "json"}} | {"response_extract": "data[*]"},
        image({"response_format": "url"}, call("POST /gen", ANY, {"data": [{"url": "http://W/x.png", "revised_prompt": "cat"}]}), want=["http://W/x.png"]),
    ),
    case(
        "stability-json",
        {**IMG, "body_type": "multipart", "header": {"Accept": "application/json"}, "body": {"prompt": "{USER_PROMPT}", "aspect_ratio": "{ASPECT_RATIO:1:1}", "seed": "{SEED}", "output_format": "png"}, "response_extract": "image", "finish_extract": "finish_reason", "output": {"as": "b64"}, "error": {"finish_reason": ["CONTENT_FILTERED", "ERROR"]}, "error_extract": "errors[0]|finish_reason"},
        image({"seed": 7}, call("POST /gen", [("aspect_ratio", "1:1"), ("output_format", "png"), ("prompt", "a cat"), ("seed", "7")], {"image": b64("png"), "finish_reason": "SUCCESS"}, accept="application/json"), want=["png"]),
        image({}, call("POST /gen", ANY, {"image": b64("blur"), "finish_reason": "CONTENT_FILTERED"}), want=Want("CONTENT_FILTERED", status=502)),
        image({}, call("POST /gen", ANY, said({"name": "bad_request", "errors": ["prompt: too long"]}, 400)), want=Want("prompt: too long", status=400)),
    ),
    case(
        "binary",
        {**IMG, "req_url_template": "http://W/models/{MODEL_NAME}", "upstream_model": "org/sdxl", "body": {"inputs": "{USER_PROMPT}", "parameters": {"width": "{WIDTH}", "num_inference_steps": "{STEPS}"}}, "output": {"as": "binary"}, "error": {"error": "*"}},
        image({}, call("POST /models/org%2Fsdxl", {"inputs": "a cat"}, file("jpg", "image/jpeg")), want=["jpg"]),
        image({"response_format": "url"}, call("POST /models/org%2Fsdxl", ANY, file("jpg", "application/octet-stream")), want=["jpg"]),
        image({}, call("POST /models/org%2Fsdxl", ANY, {"error": "Model is loading", "estimated_time": 20}), want=Want("Model is loading", status=502)),
        image({}, call("POST /models/org%2Fsdxl", ANY, {"image": "?"}), want=Want("application/json where the bytes", status=502)),
        image({}, call("POST /models/org%2Fsdxl", ANY, said({"error": "Too busy"}, 503, retry_after="3")), want=Want("Too busy", status=503)),
    ),
    case(
        "comfy",
        {**IMG, "body": {"client_id": "{REQUEST_ID}", "prompt": {"6": {"inputs": {"clip": ["4", 1], "text": "{USER_PROMPT}"}}, "7": {"inputs": {"text": "{NEGATIVE_PROMPT:}"}}, "5": {"inputs": {"width": "{WIDTH:512}"}}}}, "header": {"X-Key": "${env:UNSEEN_KEY}"}, "error": {"error": "*"}, "job": {**JOB, "id_extract": "prompt_id", "req_url_template": "http://W/history/{JOB_ID}", "done_when": {"{JOB_ID}.outputs.9.images[].filename": "*"}, "failed_when": {"{JOB_ID}.status.status_str": "error"}, "error_extract": "{JOB_ID}.status.messages[-1][1].exception_message", "result_template": "http://W/view?filename={RESP:{JOB_ID}.outputs.9.images[].filename}&subfolder={RESP:{JOB_ID}.outputs.9.images[].subfolder}&type={RESP:*.outputs.9.images[].type}", "download": {"header": {"X-Job": "{JOB_ID}"}}}},
        image(
            {},
            call("POST /gen", ANY, {"prompt_id": "b3f0-1.x", "number": 1, "node_errors": {}}),
            call("GET /history/b3f0-1.x", None, {}, x_key=KEY),
            call("GET /history/b3f0-1.x", None, {"b3f0-1.x": {"status": {"status_str": "success"}, "outputs": {"9": {"images": [{"filename": "a b&c.png", "subfolder": "", "type": "output"}]}}}}),
            call("GET /view?filename=a%20b%26c.png&subfolder=&type=output", None, file("png"), x_key=None, x_job="b3f0-1.x"),
            want=["png"],
        ),
        image({}, call("POST /gen", ANY, {"prompt_id": "j"}), call("GET /history/j", None, {"j": {"status": {"status_str": "error", "messages": [["execution_start", {}], ["execution_error", {"exception_message": "out of memory"}]]}}}), want=Want("out of memory", status=502)),
        image({}, call("POST /gen", ANY, said({"error": {"type": "prompt_no_outputs", "message": "Prompt has no outputs"}, "node_errors": {}}, 400)), want=Want("Prompt has no outputs", status=400)),
    ),
    case(
        "modelscope",
        {**IMG, "header": {"Authorization": "Bearer ${env:UNSEEN_KEY}", "X-ModelScope-Async-Mode": "true"}, "job": {**JOB, "id_extract": "task_id", "header": {"Authorization": "Bearer ${env:UNSEEN_KEY}", "X-ModelScope-Task-Type": "image_generation"}, "done_when": {"task_status": "SUCCEED"}, "failed_when": {"task_status": "FAILED"}, "result_extract": "output_images", "error_extract": "errors.message"}},
        image({}, call("POST /gen", {"prompt": "a cat"}, {"task_id": "42"}, x_modelscope_async_mode="true"), call("GET /jobs/42", None, {"task_status": "PROCESSING"}, x_modelscope_async_mode=None, x_modelscope_task_type="image_generation", authorization="Bearer k+/1"), call("GET /jobs/42", None, {"task_status": "SUCCEED", "output_images": ["http://W/1.png", "http://W/2.png"]}), call("GET /1.png", None, file("one"), authorization=None), call("GET /2.png", None, file("two")), want=["one", "two"]),
        image({}, call("POST /gen", ANY, {"task_id": 42}), call("GET /jobs/42", None, {"task_status": "FAILED", "errors": {"message": "nsfw"}}), want=Want("nsfw", status=502)),
    ),
    case(
        "midjourney",
        {**IMG, "header": {"mj-api-secret": "${env:UNSEEN_KEY}"}, "body": {"prompt": "{USER_PROMPT}", "base64Array": [], "state": "{REQUEST_ID}"}, "error": {"code": {"not": [1, 21, 22]}}, "error_extract": "description", "job": {**JOB, "id_extract": "result", "done_when": {"status": "SUCCESS"}, "failed_when": {"status": "FAILURE"}, "result_extract": "imageUrl", "error_extract": "failReason", "progress_extract": "progress"}},
        image({}, call("POST /gen", ANY, {"code": 22, "description": "queued", "result": "849"}, mj_api_secret=KEY), call("GET /jobs/849", None, said(b"")), call("GET /jobs/849", None, {"status": "IN_PROGRESS", "progress": "37%"}), call("GET /jobs/849", None, {"status": "SUCCESS", "imageUrl": "http://W/m.webp", "progress": "100%"}), call("GET /m.webp", None, file("mj", "image/webp"), mj_api_secret=None), want=["mj"]),
        image({}, call("POST /gen", ANY, {"code": 24, "description": "banned word", "result": None}), want=Want("banned word", status=502)),
    ),
    case(
        "poll-is-the-image",
        {**IMG, "output": {"as": "binary"}, "job": {**JOB, "failed_when": {"state": "failed"}}},
        image({}, GEN, call("GET /jobs/j", None, said({"state": "working"}, 202)), call("GET /jobs/j", None, file("png")), want=["png"]),
        image({}, GEN, call("GET /jobs/j", None, {"state": "failed", "detail": "no GPU"}), want=Want("no GPU", status=502)),
    ),
    case(
        "gradio-image",
        {**IMG, "body": {"data": ["{USER_PROMPT}", "{SEED:0}", "{WIDTH:64}"]}, "stream": {}, "job": {**JOB, "id_extract": "event_id", "framing": "sse", "done_when": {"@event": "complete"}, "failed_when": {"@event": "error"}, "result_extract": "@json[0].url|@json[*].image.url"}} | {"stream": {"framing": "sse"}},
        image({}, call("POST /gen", {"data": ["a cat", 0, 64]}, {"event_id": "e"}), call("GET /jobs/e", None, sse(("heartbeat", "null"), ("generating", [None]), ("complete", [{"url": "http://W/g.png", "path": "/tmp/g.png"}, 5]))), call("GET /g.png", None, file("png")), want=["png"]),
        image({}, call("POST /gen", ANY, {"event_id": "e"}), call("GET /jobs/e", None, sse(("error", {"error": "GPU quota exceeded"}))), want=Want("GPU quota exceeded", status=502)),
    ),
    case(
        "text2video",
        {**VID, "body": {"prompt": "{USER_PROMPT}", "num_inference_steps": "{STEPS:25}", "height": "{HEIGHT:320}", "width": "{WIDTH:480}", "num_frames": "{FRAMES:24}", "s": "{SECONDS:4}"}, "response_extract": "msg", "error": {"success": False}, "timeout_s": 1800},
        video({"size": "640x360", "seconds": "8"}, call("POST /gen", {"prompt": "a cat", "num_inference_steps": 25, "height": 360, "width": 640, "num_frames": 24, "s": 8}, {"success": True, "msg": "http://W/z.mp4"}), call("GET /z.mp4", None, file("mp4", "video/mp4")), want=["mp4"]),
        video({}, call("POST /gen", ANY, {"success": False, "msg": "CUDA out of memory"}), want=Want(broken="CUDA out of memory")),
    ),
    case(
        "local-path",
        {**VID, "output": {"as": "path"}},
        video({}, call("POST /gen", ANY, said(b'"/data/out/1.mp4"')), want=Want("own disk", status=404)),
    ),
    case(
        "runway",
        {**VID, "header": {"Authorization": "Bearer ${env:UNSEEN_KEY}", "X-Runway-Version": "2024-11-06"}, "body": {"promptText": "{USER_PROMPT}", "duration": "{SECONDS:5}", "ratio": "{RATIO:1280:720}"}, "job": {**JOB, "done_when": {"status": "SUCCEEDED"}, "failed_when": {"status": ["FAILED", "CANCELLED"]}, "result_extract": "output", "error_extract": "failure|failureCode", "progress_extract": "progress"}},
        video({"seconds": 10}, call("POST /gen", {"promptText": "a cat", "duration": 10, "ratio": "1280:720"}, {"id": "t-1"}), call("GET /jobs/t-1", None, {"status": "THROTTLED"}, x_runway_version="2024-11-06", authorization="Bearer k+/1"), call("GET /jobs/t-1", None, {"status": "RUNNING", "progress": 0.4}), call("GET /jobs/t-1", None, {"status": "SUCCEEDED", "output": ["http://W/v.mp4?sig=%2F"]}), call("GET /v.mp4?sig=%2F", None, file("mp4", "video/mp4"), authorization=None), want=["mp4"]),
        video({}, call("POST /gen", ANY, {"id": "t-1"}), call("GET /jobs/t-1", None, {"status": "FAILED", "failure": None, "failureCode": "SAFETY.INPUT.TEXT"}), want=Want(broken="SAFETY.INPUT.TEXT")),
        video({}, call("POST /gen", ANY, said({"error": "duration must be 5 or 10"}, 400)), want=Want("duration must be 5 or 10", status=400)),
    ),
    case(
        "replicate",
        {**VID, "header": {"Authorization": "Bearer ${env:UNSEEN_KEY}", "Prefer": "wait=1"}, "body": {"input": {"prompt": "{USER_PROMPT}", "fps": "{FPS}"}}, "error": {"detail": "*"}, "job": {**JOB, "req_url_template": "{RESP:urls.get}", "done_when": {"status": "succeeded"}, "failed_when": {"status": ["failed", "canceled"]}, "result_extract": "output", "error_extract": "error"}},
        video({}, call("POST /gen", {"input": {"prompt": "a cat"}}, {"id": "p1", "urls": {"get": "http://W/p/p1"}, "error": None, "output": None}), call("GET /p/p1", None, {"status": "succeeded", "output": "http://W/s.mp4"}), call("GET /s.mp4", None, file("single", "video/mp4")), want=["single"]),
        video({}, call("POST /gen", ANY, {"id": "p1", "urls": {"get": "http://W/p/p1"}}), call("GET /p/p1", None, {"status": "succeeded", "output": ["http://W/l.mp4", "http://W/m.mp4"]}), call("GET /l.mp4", None, file("list", "video/mp4")), call("GET /m.mp4", None, file("more", "video/mp4")), want=["list"]),
        video({}, call("POST /gen", ANY, {"id": "p1", "urls": {"get": "http://W/p/p1"}}), call("GET /p/p1", None, {"status": "failed", "error": "CUDA OOM"}), want=Want(broken="CUDA OOM")),
    ),
    case(
        "openai-videos",
        {**VID, "header": {"Authorization": "Bearer ${env:UNSEEN_KEY}"}, "body_type": "multipart", "body": {"model": "{MODEL_NAME}", "prompt": "{USER_PROMPT}", "seconds": "{SECONDS:4}", "size": "{SIZE:720x1280}"}, "output": {"as": "url"}, "job": {**JOB, "done_when": {"status": "completed"}, "failed_when": {"status": "failed"}, "error_extract": "error.message", "progress_extract": "progress", "result_template": "http://W/jobs/{JOB_ID}/content?variant={VARIANT:video}", "download": {"header": {"Authorization": "Bearer ${env:UNSEEN_KEY}"}}}},
        video({"seconds": "8"}, call("POST /gen", [("model", "openai-videos"), ("prompt", "a cat"), ("seconds", "8"), ("size", "720x1280")], {"id": "v_1", "status": "queued"}), call("GET /jobs/v_1", None, {"id": "v_1", "status": "in_progress", "progress": 50}, content_type=None), call("GET /jobs/v_1", None, {"id": "v_1", "status": "completed", "progress": 100}), call("GET /jobs/v_1/content?variant=video", None, file("mp4", "video/mp4"), authorization="Bearer k+/1"), want=["mp4"]),
        video({}, call("POST /gen", ANY, {"id": "v_1", "status": "queued"}), call("GET /jobs/v_1", None, {"status": "failed", "error": {"code": "x", "message": "moderated"}}), want=Want(broken="moderated")),
    ),
    case(
        "veo",
        {**VID, "req_url_template": "http://W/v1beta/models/{MODEL_NAME}:predictLongRunning", "header": {"x-goog-api-key": "${env:UNSEEN_KEY}"}, "body": {"instances": [{"prompt": "{USER_PROMPT}"}], "parameters": {"durationSeconds": "{SECONDS}"}}, "job": {**JOB, "id_extract": "name", "req_url_template": "http://W/v1beta/ops?name={JOB_ID}", "done_when": {"done": True}, "failed_when": {"error": "*"}, "result_extract": "response.generateVideoResponse.generatedSamples[*].video.uri", "download": {"header": {"x-goog-api-key": "${env:UNSEEN_KEY}"}}}},
        video({}, call("POST /v1beta/models/veo:predictLongRunning", {"instances": [{"prompt": "a cat"}]}, {"name": "models/veo/operations/o1"}), call("GET /v1beta/ops?name=models%2Fveo%2Foperations%2Fo1", None, {"name": "models/veo/operations/o1"}, x_goog_api_key=KEY), call("GET /v1beta/ops?name=models%2Fveo%2Foperations%2Fo1", None, {"done": True, "response": {"generateVideoResponse": {"generatedSamples": [{"video": {"uri": "http://W/f/1:download?alt=media"}}]}}}), call("GET /f/1:download?alt=media", None, file("veo", "video/mp4"), x_goog_api_key=KEY), want=["veo"]),
        video({}, call("POST /v1beta/models/veo:predictLongRunning", ANY, {"name": "o"}), call("GET /v1beta/ops?name=o", None, {"done": True, "error": {"code": 3, "message": "unsafe"}}), want=Want(broken="unsafe")),
    ),
    case(
        "luma",
        {**VID, "job": {**JOB, "done_when": {"state": "completed"}, "failed_when": {"state": "failed"}, "result_extract": "assets.video", "error_extract": "failure_reason"}},
        video({}, GEN, call("GET /jobs/j", None, {"state": "dreaming", "assets": None}), call("GET /jobs/j", None, {"state": "completed", "assets": {"video": "http://W/l.mp4"}}), call("GET /l.mp4", None, file("luma", "video/mp4")), want=["luma"]),
    ),
    case(
        "cogvideox",
        {**VID, "job": {**JOB, "req_url_template": "http://W/async-result/{JOB_ID}", "done_when": {"task_status": "SUCCESS"}, "failed_when": {"task_status": "FAIL"}, "result_extract": "video_result[*].url"}},
        video({}, GEN, call("GET /async-result/j", None, {"task_status": "SUCCESS", "video_result": [{"url": "http://W/c.mp4", "cover_image_url": "x"}]}), call("GET /c.mp4", None, file("cog", "video/mp4")), want=["cog"]),
    ),
    case(
        "sync-b64-video",
        {**VID, "response_extract": "data[0].b64_json|data[0].url", "output": {"type": "video", "as": "b64"}},
        video({}, call("POST /gen", ANY, {"data": [{"url": None, "b64_json": b64("xinf")}]}), want=["xinf"]),
    ),
    case(
        "token-video",
        {**VID, "header": {"Authorization": "Bearer {ACCESS_TOKEN}"}, "auth": {"req_url_template": "http://W/token", "body": {"k": "${env:UNSEEN_KEY}"}, "token_extract": "t"}, "job": {**JOB, "result_extract": "url", "download": {"header": {"X-Token": "{ACCESS_TOKEN}", "X-Node": "{RESP:node}"}}}},
        video({}, call("POST /token", ANY, {"t": "t1"}), call("POST /gen", ANY, {"id": "j", "node": "n1"}, authorization="Bearer t1"), call("GET /jobs/j", None, {"url": None}, authorization="Bearer t1"), call("GET /jobs/j", None, {"url": "http://W/v.mp4"}), call("GET /v.mp4", None, file("tok", "video/mp4"), x_token="t1", x_node="n1"), want=["tok"]),
    ),
]

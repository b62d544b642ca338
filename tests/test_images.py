"""Images as documents of a local cross-encoder: read from what they hold, never fetched."""

import base64
import io

import pytest
import tiny_families as tiny

from anyrank import Image, Reranker, load
from anyrank.errors import ModelError, TextError
from anyrank.scorer import traits
from anyrank.testing import ScorerContract

QUERY = "what is red ?"
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }} {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] }} {% endif %}{% endfor %}{% endfor %}"
)


@pytest.fixture(scope="module")
def visual(tmp_path_factory):
    """Save a LLaVA of some thousand weights as a reranker with modules.json; return its folder."""
    pytest.importorskip("sentence_transformers")
    import torch
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder.modules import LogitScore, Transformer
    from transformers import LlavaForConditionalGeneration

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("visual")
    LlavaForConditionalGeneration(config()).eval().save_pretrained(folder / "plain")
    processor().save_pretrained(folder / "plain")
    reads = LogitScore(*words().convert_tokens_to_ids(["yes", "no"]))
    modules = [Transformer(str(folder / "plain"), transformer_task="any-to-any"), reads]
    CrossEncoder(modules=modules).save_pretrained(str(folder / "reranker"))
    return str(folder / "reranker")


def words():
    """Return a tokenizer of all bytes, and a word that stands for an image."""
    tokenizer = tiny.tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]}, replace_extra_special_tokens=False)
    return tokenizer


def config():
    """Return the shape of the model: four patches of an image of 16 x 16."""
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig

    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    return LlavaConfig(
        vision_config=CLIPVisionConfig(image_size=16, patch_size=8, projection_dim=16, initializer_range=0.3, **shape),
        text_config=LlamaConfig(
            vocab_size=len(words()), max_position_embeddings=512, initializer_range=0.3, pad_token_id=0, **shape
        ),
        image_token_id=words().convert_tokens_to_ids("<image>"),
        image_seq_length=4,
        vision_feature_layer=-1,
    )


def processor():
    """Return what turns words and images into the model's inputs."""
    from transformers import CLIPImageProcessorPil, LlavaProcessor

    return LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}),
        tokenizer=words(),
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )


def painted(colour, mode="RGB", kind="PNG"):
    """Return a data URI of an image of one colour."""
    from PIL import Image as Pillow

    held = io.BytesIO()
    Pillow.new(mode, (20, 30), colour).save(held, kind)
    return Image(f"data:image/{kind.lower()};base64,{base64.b64encode(held.getvalue()).decode()}")


def reference(folder, document):
    """Return the log-odds of a plain forward pass over one text, or one image of Pillow."""
    import torch
    from transformers import LlavaForConditionalGeneration

    shown = [] if isinstance(document, str) else [document]
    prompt = f"query {QUERY} document {'<image>' if shown else document} "
    inputs = processor()(text=prompt, images=shown or None, return_tensors="pt")
    with torch.inference_mode():
        last = LlavaForConditionalGeneration.from_pretrained(folder)(**inputs).logits[0, -1]
    yes, no = last[words().convert_tokens_to_ids(["yes", "no"])]
    return float(yes - no)


def seeing(folder, **options):
    """Return the scorer of a folder that is said to read images."""
    return load(f"cross_encoder:{folder}", modalities=["text", "image"], dtype="float32", **options)


class TestVisual(ScorerContract):
    """The contract, on a model that reads images too."""

    relevant = None

    @pytest.fixture
    def scorer(self, visual):
        return seeing(visual)


def test_texts_and_images_in_one_list(visual):
    """Each scores as in a plain forward pass, alone and in any batch; what is no RGB is made so."""
    from PIL import Image as Pillow

    documents = [painted("red"), "a rose", painted(3, "L"), "banana " * 9, painted((0, 9, 99), kind="JPEG")]
    plain = [Pillow.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB") for uri in documents[::2]]
    expected = [reference(visual, document) for document in (plain[0], documents[1], plain[1], documents[3], plain[2])]
    assert len(set(expected)) == 5
    for batch_size in (1, 2, 8):
        ranking = Reranker(seeing(visual, batch_size=batch_size)).rerank(QUERY, documents)
        found = dict(zip(ranking.indices, ranking.scores, strict=True))
        assert [found[place] for place in range(5)] == pytest.approx(expected, abs=1e-5)


def test_it_is_declared_before_the_model_is_there():
    """Asked before the first call, which may not touch the network; in the spec as well."""
    scorer = seeing("some/model")
    assert traits(scorer).modalities == {"text", "image"}
    assert load(scorer.spec).modalities == ("text", "image")
    assert traits(load("cross_encoder:some/model")).modalities == {"text"}


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:9/secret.png", "data:image/png;base64,aaaa", "<image> a rose", "{image_file}"]
)
def test_a_text_is_a_text(visual, tmp_path, text):
    """Whatever it looks like: the URL or the file of an image, or the word that stands for one in a prompt."""
    text = text.format(image_file=tmp_path / "some.png")
    (tmp_path / "some.png").write_bytes(base64.b64decode(painted("red").partition(",")[2]))
    read = text.replace("<image>", " ")
    assert seeing(visual).score(QUERY, [text]) == pytest.approx([reference(visual, read)], abs=1e-5)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("https://example.org/cat.png", "is not fetched .* load_image="),
        ("/etc/hostname.png", "is not fetched"),
        ("data:image/png;base64,aGVsbG8=", "is not an image that Pillow"),
        ("data:image/png;base64,a", "does not hold what it says"),
        ("data:image/svg+xml,%3Csvg/%3E", "is not an image that Pillow"),
    ],
)
def test_an_image_that_cannot_be_read_is_named(visual, source, says):
    """What is elsewhere is not fetched; what is here and no image says so."""
    with pytest.raises(TextError, match=says):
        seeing(visual).score(QUERY, [Image(source), "a rose"])


def test_whoever_trusts_a_source_fetches_it(visual):
    """``load_image`` is asked for every image, and may return an image of Pillow or the bytes of a file."""
    from PIL import Image as Pillow

    red = Pillow.new("RGB", (20, 30), "red")
    held = base64.b64decode(painted("red").partition(",")[2])
    sources = []

    def stored(source):
        sources.append(source)
        return red if source.endswith("1") else held

    scorer = seeing(visual, load_image=stored)
    assert scorer.score(QUERY, [Image("store:1"), Image("store:2")]) == pytest.approx([reference(visual, red)] * 2)
    assert sources == ["store:1", "store:2"]
    assert scorer.spec is None


def test_a_long_text_beside_an_image_is_cut(visual):
    """The text loses its end, which is counted; an image is read whole."""
    long, limit = "a rose " * 40, len(tiny.ids_of(f"query {QUERY} document  ")) + 70
    scores = seeing(visual, max_length=limit).score(QUERY, [long, painted("red")])
    assert scores[0] == pytest.approx(reference(visual, long[:70]), abs=1e-5)
    assert (scores.report.truncated, scores.report.query_truncated) == ({0: 210}, 0)


def test_a_template_is_of_text_only(visual):
    """One of a model that reads images has a place for them."""
    with pytest.raises(ModelError, match="reads more than text"):
        load(f"cross_encoder:{visual}", template="qwen3").warm_up()
